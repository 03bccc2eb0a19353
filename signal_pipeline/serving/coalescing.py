"""Request coalescing: requests of one event each, of the same moment, share one write, and each gets its own verdict.

event ──▶ [a write is busy?] ──no──▶ write at once
                └─ yes ──▶ wait ──it ends──▶ one write of all that wait ──▶ a verdict each
                                                └─ fails whole
                                                     ├─ in passing, such as an outage: everybody's failure
                                                     ├─ of one event: its own failure
                                                     └─ of several: each again, alone

There is no timer: whoever comes first writes at once, and how many share a write follows from how long the one before
it took. A platform that sends one event a request so costs a write for each round of requests, not for each event.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Final

from signal_pipeline.domain.failures import Failure, TriggerAction
from signal_pipeline.errors import PipelineError
from signal_pipeline.events.envelope import CloudEvent
from signal_pipeline.observability.logs import get_logger

__all__ = ["Coalescer", "Write"]

Write = Callable[[Sequence[CloudEvent]], Awaitable[Sequence[Failure | None]]]

_MOST_EVENTS: Final = 1000  # as many as a trigger sends at once: beyond that a write only takes longer
_PASSING: Final = frozenset({TriggerAction.HOLD, TriggerAction.RETRY_IN_PLACE})  # no event's fault, so not one's alone


class Coalescer:
    """Gathers events while a write is busy, and writes them together.

    Args:
        write: Makes the effects of events durable and returns one verdict each, in their order; an error means that
            none of them is durable.
        most_bytes: Data of one write at most; a larger event is written alone.
        most_events: Events of one write at most.
        most_writes: Writes under way at once.
        observe: Told how many events each write has; those that are tried again alone are not counted again.
    """

    def __init__(
        self,
        write: Write,
        *,
        most_bytes: int,
        most_events: int = _MOST_EVENTS,
        most_writes: int = 1,
        observe: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._write = write
        self._most_bytes = most_bytes
        self._most_events = most_events
        self._most_writes = most_writes
        self._observe = observe
        self._waiting: deque[_Waiting] = deque()
        self._writers: set[asyncio.Task[None]] = set()

    async def submit(self, event: CloudEvent) -> Failure | None:
        """Return the verdict on an event once it is known; None means durable.

        A caller that is cancelled leaves the write to the others; its event may be stored all the same.

        Raises:
            Exception: what the write raised, for a fault that is this event's alone or that passes.
        """
        one = _Waiting(event)
        self._waiting.append(one)
        if len(self._writers) < self._most_writes:
            # A context of its own: what is logged there belongs to no single request.
            self._writers.add(asyncio.create_task(self._run(), name="coalesced write", context=Context()))
        return await one.verdict

    async def drain(self) -> None:
        """Wait until nothing waits and no write is under way."""
        while self._writers:
            await asyncio.wait(self._writers)

    async def _run(self) -> None:
        try:
            while batch := self._next_batch():
                self._observe(len(batch))
                await self._settle(batch)
        finally:
            # Before anything else can run: an event that comes from now on finds no writer and starts one.
            self._writers.discard(asyncio.current_task())
            if not self._writers:  # nobody is left to take these when a writer was cancelled; else there are none
                _leave(self._waiting)

    def _next_batch(self) -> "list[_Waiting]":
        """Take the events of the next write, in the order in which they came."""
        batch: list[_Waiting] = []
        size = 0
        while self._waiting and len(batch) < self._most_events:
            if not self._waiting[0].is_awaited:
                self._waiting.popleft()
                continue
            size += self._waiting[0].size
            if batch and size > self._most_bytes:
                break
            batch.append(self._waiting.popleft())
        return batch

    async def _settle(self, batch: "Sequence[_Waiting]") -> None:
        try:
            error = await self._attempt(batch)
            if error is not None and len(batch) > 1 and not _passes(error):
                error = await self._attempt_alone(batch)
            if error is not None:
                _fail(batch, error)
        finally:
            _leave(batch)

    async def _attempt_alone(self, batch: "Sequence[_Waiting]") -> Exception | None:
        """Write each event by itself; return the error that ended this early, because it concerns the rest as well."""
        for one in batch:
            error = await self._attempt([one])
            if error is not None and _passes(error):
                return error
            if error is not None:
                _fail([one], error)
        return None

    async def _attempt(self, batch: "Sequence[_Waiting]") -> Exception | None:
        """Write events together and tell their verdicts; return the error of a write that failed whole."""
        try:
            verdicts = await self._write([one.event for one in batch])
            pairs = list(zip(batch, verdicts, strict=True))
        except Exception as exc:  # noqa: BLE001 - whatever it is, it is told to those who wait
            return exc
        for one, verdict in pairs:
            if one.is_awaited:
                one.verdict.set_result(verdict)
        return None


class _Waiting:
    """An event whose verdict somebody waits for."""

    def __init__(self, event: CloudEvent) -> None:
        self.event = event
        self.size = len(event.data_json or event.data_bytes or b"")
        self.verdict: asyncio.Future[Failure | None] = asyncio.get_running_loop().create_future()

    @property
    def is_awaited(self) -> bool:
        """Whether it has no verdict yet, and its caller was not cancelled."""
        return not self.verdict.done()


def _passes(error: Exception) -> bool:
    """Return whether a failure is no event's fault and ends by itself, by the table in the domain."""
    return isinstance(error, PipelineError) and error.failure.policy.trigger in _PASSING


def _fail(batch: Sequence[_Waiting], error: Exception) -> None:
    """Tell everybody who has no verdict yet that the write failed; log it when nobody is left to hear."""
    awaited = [one for one in batch if one.is_awaited]
    for one in awaited:
        one.verdict.set_exception(error)
    if not awaited:
        get_logger().error("coalesced_write_failed", exc_info=error)


def _leave(batch: Sequence[_Waiting] | deque[_Waiting]) -> None:
    """End the wait of everybody who has no verdict: the writer itself was cancelled."""
    for one in batch:
        one.verdict.cancel()
