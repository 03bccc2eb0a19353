"""A write for coalescers, which fails by the ids of its events."""

import asyncio
from collections.abc import Sequence
from typing import Final

from signal_pipeline.domain.failures import Failure, FailureClass
from signal_pipeline.errors import DependencyUnavailable
from signal_pipeline.events.envelope import CloudEvent
from signal_pipeline.serving.coalescing import Coalescer

__all__ = ["BOUND", "BYTES", "REJECTED", "Store", "coalescer", "event"]

BOUND: Final = 5
BYTES: Final = 40
REJECTED: Final = Failure(failure_class=FailureClass.REJECTED, code="23514", detail="no")


def event(event_id: str, size: int = 0) -> CloudEvent:
    """Return an event whose id says how it fares."""
    return CloudEvent(id=event_id, source="web", type="click", data_bytes=b"x" * size)


class Store:
    """A write that waits at a gate, and fails by the ids of its events.

    `bad` is refused by a verdict of its own; `bug` fails the whole write for a reason of its own; `down` fails it for
    a reason that passes.
    """

    def __init__(self, *, open_gate: bool = False) -> None:
        self.writes: list[list[str]] = []
        self.sizes: list[int] = []
        self.busy = asyncio.Event()
        self.gate = asyncio.Event()
        self.at_once = self.most_at_once = 0
        if open_gate:
            self.gate.set()

    async def write(self, events: Sequence[CloudEvent]) -> list[Failure | None]:
        """Note the events and wait."""
        self.writes.append([each.id for each in events])
        self.sizes.append(sum(len(each.data_bytes or b"") for each in events))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.busy.set()
        try:
            await self.gate.wait()
            await asyncio.sleep(0)
        finally:
            self.at_once -= 1
        if any(each.id.startswith("down") for each in events):
            raise DependencyUnavailable("the store is away")
        culprits = [each.id for each in events if each.id.startswith("bug")]
        if culprits:
            raise ValueError(culprits[0])
        return [REJECTED if each.id.startswith("bad") else None for each in events]


def coalescer(store: Store, *, most_writes: int = 1) -> Coalescer:
    """Return a coalescer with small bounds."""
    return Coalescer(store.write, most_bytes=BYTES, most_events=BOUND, most_writes=most_writes)
