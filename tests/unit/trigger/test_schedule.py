"""The schedule source: steady, whatever its function does."""

import asyncio

from aiohttp import web
from aiohttp.test_utils import TestServer
from prometheus_client import CollectorRegistry

from signal_pipeline.observability.metrics import TriggerMetrics
from signal_pipeline.trigger.manifest import ScheduleTrigger
from signal_pipeline.trigger.schedule import ScheduleSource

_INTERVAL_SECONDS = 0.02


async def test_a_slow_answer_does_not_end_the_schedule() -> None:
    """After an answer that took many intervals the schedule goes on, one call at a time."""
    calls = 0
    enough = asyncio.Event()

    async def answer(_: web.Request) -> web.Response:
        nonlocal calls
        calls += 1
        if calls == 1:
            await asyncio.sleep(10 * _INTERVAL_SECONDS)  # the fault itself: slower than the interval
        if calls >= 4:
            enough.set()
        return web.Response(status=503 if calls == 2 else 200)

    application = web.Application()
    application.router.add_post("/tick", answer)
    async with TestServer(application) as server:
        trigger = ScheduleTrigger(
            name="tick",
            url=str(server.make_url("/tick")),
            interval_seconds=_INTERVAL_SECONDS,
            content_type="application/json",
            body=b"{}",
        )
        registry, stop = CollectorRegistry(), asyncio.Event()
        running = asyncio.create_task(ScheduleSource(trigger, TriggerMetrics(registry)).run(stop))
        await asyncio.wait_for(enough.wait(), 10)
        stop.set()
        await asyncio.wait_for(running, 10)
    assert registry.get_sample_value("trigger_tick_failures_total") == 1
    assert (registry.get_sample_value("trigger_ticks_total") or 0) >= 2
