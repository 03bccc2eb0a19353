"""A request at a steady interval; one at a time, and a late one is not made up for."""

import asyncio
import ssl
from typing import Final

import aiohttp

from signal_pipeline.observability.logs import get_logger
from signal_pipeline.observability.metrics import TriggerMetrics
from signal_pipeline.trigger.calls import Call, post
from signal_pipeline.trigger.manifest import ScheduleTrigger
from signal_pipeline.trigger.pacer import Pacer

__all__ = ["ScheduleSource"]

_TIMEOUT_SECONDS: Final = 60.0


class ScheduleSource:
    """The schedule source as the main program runs it.

    Args:
        trigger: The manifest.
        metrics: Counters.
        tls: What an https function is checked with; the system's authorities without it.
    """

    def __init__(self, trigger: ScheduleTrigger, metrics: TriggerMetrics, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls or True  # True: the client's own default
        self._trigger = trigger
        self._metrics = metrics
        self._failures = 0

    async def ready(self) -> bool:
        """A schedule needs nothing to be ready; what it calls may be down."""
        return True

    async def run(self, stop: asyncio.Event) -> None:
        """Post at the interval until `stop` is set."""
        loop = asyncio.get_running_loop()
        interval = self._trigger.interval_seconds
        pacer = Pacer(interval_seconds=interval, start=loop.time() + interval, make_up_seconds=0)
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
        headers = {"content-type": self._trigger.content_type, **self._trigger.credential}
        connector = aiohttp.TCPConnector(ssl=self._tls)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            while not stop.is_set():
                try:
                    await asyncio.wait_for(stop.wait(), pacer.wait(loop.time()))
                except TimeoutError:
                    pacer.sent()
                    self._count(await post(session, self._trigger.url, body=self._trigger.body, headers=headers))

    def _count(self, call: Call) -> None:
        if call.ok:
            self._metrics.emitted.inc()
            self._failures = 0
            return
        self._metrics.emit_failures.inc()
        self._failures += 1
        if self._failures & (self._failures - 1) == 0:  # the 1st, 2nd, 4th, 8th … in a row
            get_logger().warning(
                "tick_failed", trigger=self._trigger.name, outcome=call.outcome, in_a_row=self._failures
            )
