"""`doctor` in the running pipeline."""

import json

from tests.support.pipeline import Pipeline


def test_a_healthy_pipeline_has_no_fault(pipeline: Pipeline) -> None:
    """Every check can be made, none finds a fault, and the command exits with 0 within its 15 seconds."""
    done = pipeline.run("-m", "signal_pipeline", "doctor", "--json", seconds=15)
    found = json.loads(done.stdout)
    assert [each for each in found["checks"] if each["level"] == "fault"] == []
    assert done.returncode == 0
