"""Calls that nobody waits for: a bounded queue in memory, some workers, and the outcome to a callback.

POST /async-function/NAME ──▶ room ──▶ 202 ──▶ worker ──▶ function ──▶ X-Callback-Url, if there is one
                               └ full ──▶ 503

A call is made once. What waits when the gateway ends is lost, and logged: events that must not be lost go to /emit.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from multidict import CIMultiDict

from local.gateway.calls import Calls, Unanswered
from local.gateway.headers import Origin, answer_headers
from local.gateway.routes import Target
from signal_pipeline.observability.logs import get_logger

__all__ = ["CallQueue", "QueuedCall", "is_callback"]

_WORKERS: Final = 4  # two cores serve no more at once
_MOST_CALLS: Final = 1000
_MOST_BYTES: Final = 64 * 1024**2
_DRAIN_SECONDS: Final = 5.0
_CALLBACK_TIMEOUT: Final = aiohttp.ClientTimeout(total=30, sock_connect=5)


@dataclass(frozen=True, kw_only=True)
class QueuedCall:
    """One call.

    Attributes:
        target: What is called.
        query: Query string.
        headers: What the function gets.
        body: The whole body.
        origin: Who called.
        callback: Address that gets the outcome; empty for none.
    """

    target: Target
    query: bytes
    headers: "CIMultiDict[str]" = field(repr=False)
    body: bytes = field(repr=False)
    origin: Origin
    callback: str = ""


def is_callback(url: str) -> bool:
    """Tell whether an outcome can be posted to an address."""
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


class CallQueue:
    """The queue and its workers.

    Args:
        calls: The way to the functions.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._waiting: asyncio.Queue[QueuedCall] = asyncio.Queue(_MOST_CALLS)
        self._bytes = 0
        self._workers: list[asyncio.Task[None]] = []
        self._callbacks: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Start the workers."""
        self._callbacks = aiohttp.ClientSession(timeout=_CALLBACK_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar())
        self._workers = [asyncio.create_task(self._work()) for _ in range(_WORKERS)]

    async def close(self) -> None:
        """Finish what can be finished within some seconds."""
        try:
            await asyncio.wait_for(self._waiting.join(), _DRAIN_SECONDS)
        except TimeoutError:
            get_logger().warning("queued_calls_lost", calls=self._waiting.qsize())
        for worker in self._workers:
            worker.cancel()
        if self._callbacks is not None:
            await self._callbacks.close()

    def put(self, call: QueuedCall) -> bool:
        """Take a call, unless there is no room."""
        if self._waiting.full() or self._bytes + len(call.body) > _MOST_BYTES:
            return False
        self._bytes += len(call.body)
        self._waiting.put_nowait(call)
        return True

    async def _work(self) -> None:
        while True:
            call = await self._waiting.get()
            try:
                await self._do(call)
            except Exception:  # noqa: BLE001 - a fault in one call must not end the worker, and is logged with its stack
                get_logger().exception("queued_call_failed", function=call.target.function)
            finally:
                self._bytes -= len(call.body)
                self._waiting.task_done()

    async def _do(self, call: QueuedCall) -> None:
        began = time.monotonic()
        try:
            answer = await self._calls.begin(call.target, "POST", call.query, call.headers, call.body)
        except Unanswered as exc:
            self._calls.count(call.target, exc.status, began)
            await self._report(call, exc.status, time.monotonic() - began, [], None)
            return
        async with answer:
            self._calls.count(call.target, answer.status, began)
            taken, body = time.monotonic() - began, answer.content.iter_any()
            await self._report(call, answer.status, taken, answer_headers(answer.raw_headers, call.origin), body)

    async def _report(
        self,
        call: QueuedCall,
        status: int,
        seconds: float,
        headers: list[tuple[bytes, bytes]],
        body: AsyncIterator[bytes] | None,
    ) -> None:
        get_logger().info("queued_call_done", function=call.target.function, status=status, call_id=call.origin.call_id)
        if not call.callback or self._callbacks is None:
            return
        told = CIMultiDict((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers)
        told["X-Call-Id"] = call.origin.call_id
        told["X-Duration-Seconds"] = f"{seconds:f}"
        told["X-Function-Name"] = call.target.named
        told["X-Function-Status"] = str(status)
        try:
            async with self._callbacks.post(call.callback, headers=told, data=body, allow_redirects=False) as answer:
                get_logger().info("callback_done", status=answer.status, call_id=call.origin.call_id)
        except (aiohttp.ClientError, TimeoutError) as exc:
            get_logger().warning("callback_failed", reason=type(exc).__name__, call_id=call.origin.call_id)
