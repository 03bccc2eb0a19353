"""A2: what is sent is stored, exactly, with the anomalies that the rules say."""

import asyncio

from tests.support.pipeline import Pipeline
from tests.support.sender import Sender, events
from tests.support.watching import observer_of


async def test_thousand_signals_of_an_own_source(pipeline: Pipeline, sender: Sender) -> None:
    """1,000 signals lead to exactly their 1,000 rows, their anomalies and their events, and to nothing else.

    Meanwhile no offset runs ahead of its effect, no user's signals overtake each other, nothing outgrows its bound, and
    every counter counts what the ledger has.
    """
    sent = events(1000, sender.source)
    with observer_of(pipeline, sender.source, calm=True) as observer:
        await sender.post_all(sent[start : start + 100] for start in range(0, 1000, 100))
        report = await asyncio.to_thread(pipeline.check, sender.sent(), observer=observer)
    assert report.sound, str(report)
    assert report.checked("I1") == report.checked("I3") == 1000
    # 8 of 100 data values break a rule: none at all among 1,000 would be a checker that looks at nothing.
    assert report.checked("I7") > 20
    # Each of the 1,000 records is covered by a commit of both groups.
    assert report.checked("I5") >= 2000
    # 1,000 signals of 1,000 users have about 632 different keys; at night a third of them has an anomaly, and of each
    # group the signals that share a key are pairs: 670 - 488 and 330 - 281.
    assert report.checked("I11") > 100
    assert report.checked("I13") > 0
    assert report.checked("I14") == 7


def test_load_command_confirms_itself(pipeline: Pipeline) -> None:
    """`make load` sends 1,000 signals of its own source, finds all of them again and says so by its exit status."""
    done = pipeline.run("-m", "signal_pipeline", "load")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1,000" in done.stdout
