"""The steady emission against a real HTTP server."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import orjson
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from signal_pipeline.observability.metrics import TriggerMetrics
from signal_pipeline.settings import Settings
from signal_pipeline.trigger import rate
from signal_pipeline.trigger.manifest import RateTrigger, ScheduleTrigger
from signal_pipeline.trigger.rate import RateSource
from signal_pipeline.trigger.schedule import ScheduleSource

DEADLINE_SECONDS = 20


@dataclass
class Emit:
    """The function emit, as the source sees it.

    Attributes:
        url: Its address.
        times: Loop time of each request.
        counts: The `count` of each request.
        keys: The API key of each request.
        status: How it answers.
    """

    url: str = ""
    times: list[float] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    status: int = 202

    async def handle(self, request: web.Request) -> web.Response:
        """Note the request."""
        self.times.append(asyncio.get_running_loop().time())
        self.counts.append(orjson.loads(await request.read()).get("count", 0))
        self.keys.append(request.headers.get("x-api-key", ""))
        return web.Response(status=self.status, headers={"Retry-After": "1"})


@pytest.fixture
async def emit() -> AsyncIterator[Emit]:
    """A server that notes what it is asked."""
    function = Emit()
    app = web.Application()
    app.router.add_post("/emit", function.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    function.url = f"http://127.0.0.1:{runner.addresses[0][1]}/emit"
    yield function
    await runner.cleanup()


def settings(tmp_path: Path, **values: object) -> Settings:
    """Return settings whose disk has room."""
    return Settings(_env_file=None, **{"state_dir": tmp_path, "min_free_disk_bytes": 0, **values})  # type: ignore[arg-type]


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition with a deadline."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():  # noqa: ASYNC110 - what is waited for sets no event
            await asyncio.sleep(0.005)


async def run_until(source: RateSource | ScheduleSource, requests: list[float], number: int) -> None:
    """Run a source until it made this many requests, and stop it in order."""
    stop = asyncio.Event()
    task = asyncio.create_task(source.run(stop))
    await until(lambda: len(requests) >= number)
    stop.set()
    await task


def rate_source(emit: Emit, of: Settings) -> RateSource:
    """Return the source under test."""
    return RateSource(RateTrigger(name="emit", url=emit.url, in_flight=4), of, TriggerMetrics(CollectorRegistry()))


async def test_it_asks_for_batches_at_the_rate_with_its_key(emit: Emit, tmp_path: Path) -> None:
    """1,000 a second in batches of 50 are requests at 20 a second: the 11th comes half a second after the first."""
    source = rate_source(emit, settings(tmp_path, signals_per_second=1000, batch_size=50))
    await run_until(source, emit.times, 11)
    assert set(emit.counts) == {50}
    assert set(emit.keys) == {"dev-service-key-123"}
    assert emit.times[10] - emit.times[0] == pytest.approx(0.5, abs=0.2)


async def test_a_low_rate_is_still_steady(emit: Emit, tmp_path: Path) -> None:
    """5 a second with a batch size of 100 are one request of 5 each second, not one of 100 in 20 seconds."""
    source = rate_source(emit, settings(tmp_path, signals_per_second=5, batch_size=100))
    await run_until(source, emit.times, 2)
    assert set(emit.counts) == {5}


@pytest.mark.parametrize("status", [429, 503])
async def test_it_obeys_retry_after(emit: Emit, tmp_path: Path, status: int) -> None:
    """After 429 or 503 with Retry-After 1 the next request comes no earlier than a second later."""
    emit.status = status
    source = rate_source(emit, settings(tmp_path, signals_per_second=10, batch_size=10))
    await run_until(source, emit.times, 2)
    assert emit.times[1] - emit.times[0] >= 1


async def test_rate_zero_emits_nothing(emit: Emit, tmp_path: Path) -> None:
    """SIGNALS_PER_SECOND=0 waits for its end."""
    stop = asyncio.Event()
    stop.set()
    await rate_source(emit, settings(tmp_path, signals_per_second=0)).run(stop)
    assert emit.times == []


async def test_it_stops_while_the_disk_is_short_and_goes_on_when_there_is_room(
    emit: Emit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below the least free disk nothing is asked for; above it the emission resumes by itself."""
    free = {"bytes": 10}
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free["bytes"]))
    monkeypatch.setattr(rate, "_DISK_CHECK_SECONDS", 0.05)
    source = rate_source(emit, settings(tmp_path, min_free_disk_bytes=100, signals_per_second=1000, batch_size=50))
    stop = asyncio.Event()
    task = asyncio.create_task(source.run(stop))
    await until(lambda: source.short_of_disk)
    assert emit.times == []
    free["bytes"] = 1000
    await until(lambda: len(emit.times) >= 4)
    stop.set()
    await task


async def test_a_schedule_posts_at_its_interval(emit: Emit) -> None:
    """Three posts at 0.1 s take at least 0.2 s from the first to the last."""
    trigger = ScheduleTrigger(
        name="tick", url=emit.url, interval_seconds=0.1, content_type="application/json", body=b"{}"
    )
    await run_until(ScheduleSource(trigger, TriggerMetrics(CollectorRegistry())), emit.times, 3)
    assert emit.times[2] - emit.times[0] >= 0.15
