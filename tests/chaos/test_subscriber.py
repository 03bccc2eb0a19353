"""TRG-6: whatever a function answers, the trigger loses nothing, doubles nothing and dead-letters no healthy event."""

import pytest

from tests.chaos.stage import Stage
from tests.chaos.subscriber import MISBEHAVIOURS, Subscriber
from tests.chaos.test_moments import EVENTS, healthy, send

_TIMES = 2  # fewer than the attempts that an unexpected failure has
_SHORT = {("500", True), ("reset", True), ("307", False)}
_CASES = [
    pytest.param(
        name,
        works,
        id=f"TRG-6-{name}-{'after' if works else 'instead-of'}-the-work",
        marks=() if (name, works) in _SHORT else pytest.mark.long,
    )
    for name in MISBEHAVIOURS
    for works in (False, True)
]


@pytest.mark.parametrize(("name", "works"), _CASES)
async def test_a_subscriber_misbehaves(stage: Stage, name: str, works: bool) -> None:  # noqa: FBT001
    """Every event is one row, the poison is the one dead letter, and the bad answers were really given."""
    poison = send(stage, healthy(stage, anomalous=False))
    await stage.function("process-signal")
    function = f"http://127.0.0.1:{stage.settings.port('process-signal')}/"
    times = 1 if name == "timeout" else _TIMES  # one takes the manifest's 30 s
    async with Subscriber(function, MISBEHAVIOURS[name], times=times, works=works) as subscriber:
        stage.trigger("process-signal", http=subscriber)
        await stage.drained("process-signal")
        assert (subscriber.left, subscriber.misled) == (0, 0)
    assert stage.one("SELECT count(*) FROM signals") == EVENTS
    assert len(stage.letters(poison)) == 1
    assert stage.function_counter("process-signal", "signals_stored_total", outcome="inserted") == EVENTS
    unchanged = stage.function_counter("process-signal", "signals_stored_total", outcome="unchanged")
    assert (unchanged > 0) is works  # what was answered badly after the work came again
    report = stage.report(stage.sender.sent())
    assert report.sound, str(report)
