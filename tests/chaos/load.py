"""Load that goes on through a fault."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from tests.support.sender import Sender, events

__all__ = ["ANOMALOUS", "BRISK", "ENOUGH", "Load", "Pace", "anomalous_events"]

ENOUGH = 300  # accepted events on either side of a fault: some per partition


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How a load sends.

    Attributes:
        senders: Requests under way at most.
        batch: Events of a request.
        rate: Events a second of all senders; None pauses a little after each request.
        make: Makes the events of a request, given their number and source.
    """

    senders: int = 3
    batch: int = 20
    rate: float | None = None
    make: Callable[[int, str], Sequence[Mapping[str, Any]]] = events

    @property
    def interval_seconds(self) -> float:
        """Time from one request of a sender to its next: 4 senders of 100 at 1,000 a second send every 0.4 s."""
        return _PAUSE_SECONDS if self.rate is None else self.senders * self.batch / self.rate


_PAUSE_SECONDS = 0.02


def anomalous_events(count: int, source: str) -> list[dict[str, Any]]:
    """Return events that break two rules each, so that every batch writes many outbox rows in one transaction."""
    return [{**each, "data": {"session_id": "sess_11", "data": "sample_data_100"}} for each in events(count, source)]


BRISK = Pace()
ANOMALOUS = Pace(batch=100, make=anomalous_events)


class Load:
    """Senders that go on through the fault, each repeating a batch until it is accepted.

    Use as an asynchronous context manager; at its end every sender finishes the batch that it is at.
    """

    def __init__(self, sender: Sender, pace: Pace = BRISK) -> None:
        self._sender = sender
        self._pace = pace
        self._ending = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.accepted = 0

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._run()) for _ in range(self._pace.senders)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if kind is not None:
            for task in self._tasks:
                task.cancel()  # what is broken may stay so, and would never accept their batch
            return
        await self.end()

    async def more(self, count: int = ENOUGH) -> None:
        """Wait until enough further events are accepted; what a sender fails on is raised here."""
        target = self.accepted + count
        while self.accepted < target:
            done, _ = await asyncio.wait(self._tasks, timeout=0.05, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()

    async def end(self) -> None:
        """Let every sender finish the batch that it is at."""
        self._ending.set()
        await asyncio.gather(*self._tasks)

    async def _run(self) -> None:
        due = time.monotonic()
        while not self._ending.is_set():
            await self._sender.post_all([self._pace.make(self._pace.batch, self._sender.source)])
            self.accepted += self._pace.batch
            # A late request does not delay the next ones: a rate is meant over the whole time.
            due = due + self._pace.interval_seconds if self._pace.rate else time.monotonic() + _PAUSE_SECONDS
            await asyncio.sleep(max(due - time.monotonic(), 0))
