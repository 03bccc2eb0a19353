"""A platform that delivers one event a request, instead of our triggers: nothing is lost, doubled or misunderstood."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.chaos.knative import await_settled, judged, produce, sources, strangers_of_poison
from tests.chaos.outages import Stopped
from tests.chaos.symptoms import say
from tests.support.knative_source import KnativeSource
from tests.support.metrics import metric, page
from tests.support.pipeline import Pipeline
from tests.support.sender import Sender

_FEW = 3_000
_IN_FLIGHT = 50  # a source's requests: far below MAX_REQUESTS_IN_FLIGHT
_OUTAGE_SECONDS = 45  # five attempts of 5 s and the pauses between them are 31 s: some events are given up
_SETTLE_SECONDS = 900


async def test_events_one_by_one_are_stored_and_poison_is_understood(pipeline: Pipeline, sender: Sender) -> None:
    """3,000 events in a request each: rows and anomalies are right, poison is dead-lettered by its cause."""
    before = await asyncio.to_thread(_writes, pipeline)
    async with sources(pipeline, in_flight=_IN_FLIGHT) as running:
        kinds = await asyncio.to_thread(produce, sender, _FEW)
        await await_settled(pipeline, seconds=60)
    await _judge(pipeline, sender, kinds)
    assert await asyncio.to_thread(strangers_of_poison, pipeline, sender.sent(), kinds) == {}
    assert set(running[0].answers) == {204, 400, 422}
    assert running[0].dead_letters == len(kinds)
    assert running[1].answers == {204: _FEW + 1}  # detect-anomaly leaves poison to process-signal
    writes = await asyncio.to_thread(_writes, pipeline) - before
    assert 0 < writes < _FEW / 2  # requests share writes


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("in_flight", "count"),
    [pytest.param(_IN_FLIGHT, 100_000, id="unordered"), pytest.param(None, 10_000, id="ordered")],
)
async def test_an_outage_that_a_platform_does_not_wait_for(
    pipeline: Pipeline, sender: Sender, in_flight: int | None, count: int
) -> None:
    """PostgreSQL is away for longer than a KafkaSource tries: what it gave up for that comes back by itself."""
    outage = Stopped(services=["postgres"])
    async with sources(pipeline, in_flight=in_flight) as running:
        kinds = await asyncio.to_thread(produce, sender, count)
        await _until_sent(running, count // 4)
        await asyncio.to_thread(outage.inflict, pipeline)
        await asyncio.sleep(_OUTAGE_SECONDS)
        await asyncio.to_thread(outage.heal, pipeline)
        drained = await await_settled(pipeline, seconds=_SETTLE_SECONDS)
    proof = outage.proves(pipeline)
    await _judge(pipeline, sender, kinds)
    others = await asyncio.to_thread(strangers_of_poison, pipeline, sender.sent(), kinds)
    given_up = sum(one.dead_letters for one in running) - len(kinds)
    assert given_up > 0, "the outage was too short for a KafkaSource to give up"
    assert {failure_class for failure_class, _ in others} <= {"dependency", "unexpected"}
    assert {status for _, status in others} <= {"replayed", "resolved"}
    fates = f"{given_up} given up for it and {dict(others)}"
    say(f"{proof}; {fates}; settled {drained:.0f} s after it; {running[0].answers}")


async def _until_sent(running: Sequence[KnativeSource], count: int) -> None:
    while min(source.answers[204] for source in running) < count:  # noqa: ASYNC110  the source counts, and says nothing
        await asyncio.sleep(0.1)


async def _judge(pipeline: Pipeline, sender: Sender, kinds: Sequence[tuple[str, str]]) -> None:
    report = await asyncio.to_thread(judged, pipeline, sender.sent())
    assert report.sound, str(report)
    assert report.checked("I1") >= len(kinds)
    assert report.checked("I8") > 0
    audit = await asyncio.to_thread(pipeline.run, "-m", "signal_pipeline", "verify")
    assert audit.returncode == 0, audit.stdout + audit.stderr
    assert "every event is accounted for" in audit.stdout


def _writes(pipeline: Pipeline) -> float:
    return metric(page(pipeline.settings.metrics_port("process-signal")), "processing_latency_seconds_count")
