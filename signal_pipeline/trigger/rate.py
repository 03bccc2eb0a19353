"""The steady emission: asks emit for samples, SIGNALS_PER_SECOND in all, BATCH_SIZE at a time.

Stops itself while free disk is short, so that a forgotten run fills nothing, and goes on when there is room again.
"""

import asyncio
import contextlib
import random
import shutil
from pathlib import Path
from typing import Final

import aiohttp
import orjson

from signal_pipeline.domain.retry import Backoff
from signal_pipeline.observability.logs import get_logger
from signal_pipeline.observability.metrics import TriggerMetrics
from signal_pipeline.settings import Settings
from signal_pipeline.tls import client_context
from signal_pipeline.trigger.calls import post
from signal_pipeline.trigger.manifest import RateTrigger
from signal_pipeline.trigger.pacer import Pacer

__all__ = ["RateSource"]

_TIMEOUT_SECONDS: Final = 30.0
_MAKE_UP_SECONDS: Final = 2.0
_DISK_CHECK_SECONDS: Final = 5.0
_BACKOFF: Final = Backoff(base_seconds=0.2, cap_seconds=10.0)


class RateSource:
    """The rate source as the main program runs it.

    Args:
        trigger: The manifest.
        settings: Rate, batch size, API key, least free disk.
        metrics: Counters.

    Attributes:
        short_of_disk: Whether it has stopped itself.
    """

    def __init__(self, trigger: RateTrigger, settings: Settings, metrics: TriggerMetrics) -> None:
        self._trigger = trigger
        self._settings = settings
        self._metrics = metrics
        self._log = get_logger()
        # At least one request a second, so that a low rate is still steady.
        self._count = min(settings.batch_size, max(settings.signals_per_second, 1))
        self._body = orjson.dumps({"count": self._count})
        self._headers = {
            "content-type": "application/json",
            "x-api-key": settings.service_api_keys[0],
        }
        self._slots = asyncio.Semaphore(trigger.in_flight)
        self._resume_at = 0.0
        self._failures = 0
        self.short_of_disk = False

    async def ready(self) -> bool:
        """A rate source needs nothing to be ready; what it calls may be down."""
        return True

    async def run(self, stop: asyncio.Event) -> None:
        """Emit until `stop` is set, then wait for the requests under way."""
        if not self._settings.signals_per_second:
            self._log.info("emission_off", detail="SIGNALS_PER_SECOND is 0")
            await stop.wait()
            return
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
        connector = aiohttp.TCPConnector(ssl=client_context(self._settings))
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session, asyncio.TaskGroup() as calls:
            self._look_at_disk()
            watch = calls.create_task(self._watch_disk())
            await self._emit(session, calls, stop)
            watch.cancel()

    async def _emit(self, session: aiohttp.ClientSession, calls: asyncio.TaskGroup, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        interval = self._count / self._settings.signals_per_second
        pacer = Pacer(interval_seconds=interval, start=loop.time(), make_up_seconds=_MAKE_UP_SECONDS)
        while not stop.is_set():
            wait = max(pacer.wait(loop.time()), self._resume_at - loop.time())
            if self.short_of_disk:
                wait = _DISK_CHECK_SECONDS
            if wait > 0:
                await _wait(stop, wait)
                continue  # an answer that came meanwhile may have asked for more
            await self._slots.acquire()
            pacer.sent()
            calls.create_task(self._call(session))

    async def _call(self, session: aiohttp.ClientSession) -> None:
        try:
            call = await post(session, self._trigger.url, body=self._body, headers=self._headers)
        finally:
            self._slots.release()
        if call.ok:
            self._metrics.emitted.inc()
            self._failures = 0
            return
        self._metrics.emit_failures.inc()
        self._failures += 1
        chance = random.random()  # noqa: S311 - jitter
        delay = _BACKOFF.delay(self._failures, chance=chance, at_least=call.retry_after_seconds)
        self._resume_at = max(self._resume_at, asyncio.get_running_loop().time() + delay)
        if self._failures & (self._failures - 1) == 0:  # the 1st, 2nd, 4th, 8th … in a row
            self._log.warning("emission_failed", outcome=call.outcome, in_a_row=self._failures)

    async def _watch_disk(self) -> None:
        while True:
            await asyncio.sleep(_DISK_CHECK_SECONDS)
            self._look_at_disk()

    def _look_at_disk(self) -> None:
        free = shutil.disk_usage(_existing(self._settings.state_dir)).free
        short = free < self._settings.min_free_disk_bytes
        if short != self.short_of_disk:
            self.short_of_disk = short
            message = "emission_stopped_disk_is_short" if short else "emission_resumed"
            self._log.warning(message, free_bytes=free, needed_bytes=self._settings.min_free_disk_bytes)


def _existing(path: Path) -> Path:
    absolute = path.absolute()
    return next(one for one in (absolute, *absolute.parents) if one.exists())


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
