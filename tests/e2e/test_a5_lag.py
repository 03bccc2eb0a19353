"""A5: lag under load stays small and returns to 0, and the metric tells it truly."""

import asyncio
import time

from tests.support.metrics import metric, page, real_lag
from tests.support.pipeline import Pipeline
from tests.support.sender import Sender, events
from tests.support.waiting import wait_for

_MAX_LAG = 1000
_STOPPED = 300
_LOAD_BATCHES = 100
_LOAD_INTERVAL_SECONDS = 0.05


async def test_lag_under_load_is_bounded(pipeline: Pipeline, sender: Sender) -> None:
    """At 2,000 signals a second, twice the default, the lag stays below 1,000, and it ends at 0."""
    load = asyncio.create_task(_send_steadily(sender))
    seen = []
    while not load.done():
        seen.append(await asyncio.to_thread(_shown_lag, pipeline))
        await asyncio.wait([load], timeout=0.05)
    await load
    assert len(seen) > 10
    assert max(seen) < _MAX_LAG
    wait_for(lambda: _shown_lag(pipeline) == 0, seconds=20, what="lag 0")
    assert real_lag(pipeline.settings, "process-signal", "signal-events") == 0
    report = pipeline.check(sender.sent())
    assert report.sound, str(report)


async def test_metric_is_the_real_lag(pipeline: Pipeline, sender: Sender) -> None:
    """With the function stopped, 300 signals are a lag of 300 on the broker and on the page, and 0 once it is back."""
    settings = pipeline.settings
    port = settings.trigger_port("process-signal")
    assert port is not None
    pipeline.local("stop", "process-signal")
    try:
        await sender.post_all([events(_STOPPED, sender.source)])
        assert real_lag(settings, "process-signal", "signal-events") == _STOPPED
        wait_for(lambda: metric(page(port), "consumer_lag") == _STOPPED, seconds=15, what="a shown lag of 300")
    finally:
        pipeline.local("start", "process-signal")
    wait_for(lambda: _shown_lag(pipeline) == 0, seconds=30, what="lag 0")
    report = pipeline.check(sender.sent())
    assert report.sound, str(report)


async def _send_steadily(sender: Sender) -> None:
    started = time.monotonic()
    for number in range(_LOAD_BATCHES):
        # Open loop: a batch is due at its own time, however long the one before took.
        await asyncio.sleep(max(started + number * _LOAD_INTERVAL_SECONDS - time.monotonic(), 0))
        await sender.post_all([events(100, sender.source)])


def _shown_lag(pipeline: Pipeline) -> float:
    return metric(page(pipeline.settings.metrics_port("process-signal")), "consumer_lag")
