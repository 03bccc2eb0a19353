"""`python -m local …`: the commands behind `make up`, `down`, `status` and their kin."""

from local.cli import app

app(prog_name="python -m local")
