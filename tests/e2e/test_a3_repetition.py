"""A3: the same signal many times, at once and in turn, has its effect once."""

import asyncio

from cloudevents.conversion import to_structured
from cloudevents.http import CloudEvent

from tests.support.pipeline import Pipeline
from tests.support.sender import Sender, event

_AT_ONCE = 20
_TIMES = 200


async def test_repeated_signal_has_its_effect_once(pipeline: Pipeline, sender: Sender) -> None:
    """200 posts of one event, 20 at once, make one row, one anomaly, one outbox row and one anomaly event."""
    one = event(sender.source, type="click", data={"session_id": "sess_12345", "data": "sample_data_99"})
    attributes = {name: value for name, value in one.items() if name != "data"}
    headers, body = to_structured(CloudEvent(attributes, one["data"]))
    for _ in range(_TIMES // _AT_ONCE):
        answers = await asyncio.gather(*(sender.post([one], headers, body) for _ in range(_AT_ONCE)))
        assert all(answers)
    report = pipeline.check(sender.sent())
    assert report.sound, str(report)
    assert [report.checked(invariant) for invariant in ("I1", "I2", "I6", "I7", "I8")] == [1, 1, 1, 1, 1]


async def test_repetitions_within_one_batch(pipeline: Pipeline, sender: Sender) -> None:
    """A batch that holds the same event a hundred times is stored as one row."""
    one = event(sender.source, id="not-a-uuid", data={"data": "sample_data_3"})
    assert await sender.post_batch([one] * 100)
    report = pipeline.check(sender.sent())
    assert report.sound, str(report)
    assert report.checked("I3") == 1


async def test_same_id_under_two_sources(pipeline: Pipeline, sender: Sender) -> None:
    """A text id counts within its source: two sources with the same id have two rows."""
    await sender.post_all([[event(f"{sender.source}-{side}", id="order-1") for side in ("left", "right")]])
    report = pipeline.check(sender.sent())
    assert report.sound, str(report)
    assert report.checked("I3") == 2
