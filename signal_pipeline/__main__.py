"""`python -m signal_pipeline`: the same as the command `signal-pipeline`."""

from signal_pipeline.cli import app

app(prog_name="signal-pipeline")
