"""A2: what is sent is stored, exactly, with the anomalies that the rules say."""

from tests.support.pipeline import Pipeline
from tests.support.sender import Sender, events


async def test_thousand_signals_of_an_own_source(pipeline: Pipeline, sender: Sender) -> None:
    """1,000 signals lead to exactly their 1,000 rows, their anomalies and their events, and to nothing else."""
    sent = events(1000, sender.source)
    await sender.post_all(sent[start : start + 100] for start in range(0, 1000, 100))
    report = pipeline.check(sender.sent())
    assert report.sound, str(report)
    assert report.checked("I1") == report.checked("I3") == 1000
    # 8 of 100 data values break a rule: none at all among 1,000 would be a checker that looks at nothing.
    assert report.checked("I7") > 20


def test_load_command_confirms_itself(pipeline: Pipeline) -> None:
    """`make load` sends 1,000 signals of its own source, finds all of them again and says so by its exit status."""
    done = pipeline.run("-m", "signal_pipeline", "load")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1,000" in done.stdout
