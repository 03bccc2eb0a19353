"""A dependency is away at a steady 1,000 signals a second: the backlog waits in Kafka, drains, and floods nothing.

Length and rate of the outage are the variables CHAOS_OUTAGE_SECONDS and CHAOS_RATE.
"""

import asyncio
import os
import time
from dataclasses import dataclass

import pytest

from tests.chaos.load import ENOUGH, Load, Pace
from tests.chaos.outages import Stopped
from tests.chaos.symptoms import greatest_lag, repeated_events, retries, say, seconds_until_drained
from tests.support.metrics import topic_end
from tests.support.pipeline import Pipeline
from tests.support.sender import Sender

_RATE = float(os.environ.get("CHAOS_RATE", "1000"))
_SECONDS = float(os.environ.get("CHAOS_OUTAGE_SECONDS", "60"))
# For a quick look on whatever machine: short, and slow enough to be caught up with at once.
_SHORT_RATE = 200.0
_SHORT_SECONDS = 10.0
_KEPT_SHARE = 0.8  # of the rate: below it the figures would be those of another load
_DRAIN_SECONDS = 300

pytestmark = pytest.mark.long


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What one outage cost.

    Attributes:
        sent: Events accepted in all.
        kept: Events a second that were accepted meanwhile.
        backlog: Events that waited for the slowest group when the service was ready again.
        caught_up_seconds: From then until no more than a second of load waited, while the load went on.
        drained_seconds: From then until nothing waited.
    """

    sent: int
    kept: float
    backlog: int
    caught_up_seconds: float
    drained_seconds: float


async def _outage(pipeline: Pipeline, sender: Sender, service: str, seconds: float, rate: float) -> Figures:
    """Stop a service for a while under load, and measure from the moment at which it is ready again."""
    outage = Stopped(services=[service])
    async with Load(sender, Pace(senders=4, batch=int(rate / 10), rate=rate)) as load:
        await load.more()
        try:
            await asyncio.to_thread(outage.inflict, pipeline)
            before, began = load.accepted, time.monotonic()
            await asyncio.sleep(seconds)
            kept = (load.accepted - before) / (time.monotonic() - began)
        finally:
            await asyncio.to_thread(outage.heal, pipeline)
        ready = time.monotonic()
        backlog = await asyncio.to_thread(greatest_lag, pipeline)
        await asyncio.to_thread(seconds_until_drained, pipeline, seconds=_DRAIN_SECONDS, lag=int(rate))
        caught_up = time.monotonic() - ready
        await load.more()
    await asyncio.to_thread(seconds_until_drained, pipeline, seconds=_DRAIN_SECONDS)
    drained = time.monotonic() - ready
    outage.proves(pipeline)
    assert kept >= _KEPT_SHARE * rate, f"the load was {kept:.0f}/s instead of {rate:.0f}/s"
    return Figures(sent=load.accepted, kept=kept, backlog=backlog, caught_up_seconds=caught_up, drained_seconds=drained)


@pytest.mark.parametrize(("seconds", "rate"), [(_SHORT_SECONDS, _SHORT_RATE), (_SECONDS, _RATE)])
async def test_dlq_5_database_away(pipeline: Pipeline, sender: Sender, seconds: float, rate: float) -> None:
    """DLQ-5: PostgreSQL is down under a steady load: not one dead letter, and all is stored soon after it is back."""
    dead = topic_end(pipeline.settings, "signal-events-dlq")
    symptom = retries("process-signal", "dependency")(pipeline)
    figures = await _outage(pipeline, sender, "postgres", seconds, rate)
    proof = symptom.proves()
    report = await asyncio.to_thread(pipeline.check, sender.sent(), seconds=_DRAIN_SECONDS)
    flood = topic_end(pipeline.settings, "signal-events-dlq") - dead
    say(f"DLQ-5: PostgreSQL away {seconds:.0f} s at {rate:.0f}/s: {figures}; {flood} dead letters; {proof}")
    assert flood == 0
    assert report.sound, str(report)
    assert report.checked("I1") >= figures.sent >= _KEPT_SHARE * rate * seconds + ENOUGH
    assert figures.backlog >= _KEPT_SHARE * rate * seconds  # it did wait: nothing was stored meanwhile


async def test_cdc_6_connector_away(pipeline: Pipeline, sender: Sender) -> None:
    """CDC-6: Connect is down at 1,000/s: anomalies are stored on, and their events are published when it is back."""
    repeated = repeated_events(pipeline)
    published = topic_end(pipeline.settings, "anomaly-events")
    figures = await _outage(pipeline, sender, "connect", _SECONDS, _RATE)
    report = await asyncio.to_thread(pipeline.check, sender.sent(), seconds=_DRAIN_SECONDS)
    repeated = repeated_events(pipeline) - repeated
    published = topic_end(pipeline.settings, "anomaly-events") - published
    say(f"CDC-6: Connect away {_SECONDS:.0f} s at {_RATE:.0f}/s: {figures}; {published} published, {repeated} repeated")
    assert report.sound, str(report)
    assert report.checked("I8") > 0
