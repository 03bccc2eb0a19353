"""One assigned partition: what waits, what is being delivered, how long it backs off. Values only, no I/O."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.domain.retry import Backoff
from signal_pipeline.trigger.offsets import PartitionOffsets
from signal_pipeline.trigger.pending import Fate, Pending, must_wait

if TYPE_CHECKING:
    from signal_pipeline.trigger.expiry import Hold

__all__ = ["Partition", "TopicPartitionKey"]

TopicPartitionKey = tuple[str, int]
_SLOW_SECONDS: Final = 1.0  # a batch of 1,000 events takes about 0.1 s
# Locks and serialization conflicts last milliseconds.
_CONTENTION: Final = Backoff(base_seconds=0.05, cap_seconds=1.0)


class Partition:
    """A partition during one assignment to this trigger.

    Attributes:
        key: Topic and number.
        offsets: What may be committed.
        buffer: Records that wait, in order.
        buffered_bytes: Their size.
        delivering: Whether some of its records are in a delivery; never in two at once, which keeps their order.
        idle: Set while they are not.
        began_at: Loop time at which the last delivery began.
        failures: Deliveries in a row after which something was left.
        blocked: Records in front that must go before any other is tried; 0 when what was left does not hold the rest.
        leaving: Whether it is being taken away: nothing is delivered any more.
        retry_at: Loop time before which nothing is delivered.
        waiting_since: Loop time at which the oldest buffered record came.
        hold: The last time during which it could not go on; None when nothing that waited for it is left.
    """

    def __init__(self, key: TopicPartitionKey) -> None:
        self.key = key
        self.offsets = PartitionOffsets()
        self.buffer: deque[Pending] = deque()
        self.buffered_bytes = 0
        self.delivering = False
        self.idle = asyncio.Event()
        self.idle.set()
        self.began_at = 0.0
        self.failures = 0
        self.blocked = 0
        self.leaving = False
        self.retry_at = 0.0
        self.waiting_since = 0.0
        self.hold: Hold | None = None
        self._delivered_from_ms = 0

    @property
    def oldest_ms(self) -> int | None:
        """The broker's time of the oldest record that is not resolved; None when all that were read are."""
        if self.delivering:
            return self._delivered_from_ms
        return self.buffer[0].record.timestamp_ms if self.buffer else None

    def ready(self, now: float) -> bool:
        """Tell whether something can be delivered."""
        return self.startable and self.retry_at <= now

    @property
    def startable(self) -> bool:
        """Whether something waits that may be delivered, now or later."""
        return bool(self.buffer) and not self.delivering and not self.leaving

    def add(self, pending: Pending, now: float) -> None:
        """Append a record that was read."""
        if not self.buffer:
            self.waiting_since = now
        self.buffer.append(pending)
        self.buffered_bytes += pending.size
        self.offsets.receive(pending.record.offset)

    def take(self, events: int, size: int) -> list[Pending]:
        """Remove the next records for a delivery.

        Args:
            events: Most records.
            size: Most bytes; the first record is taken whatever its size.
        """
        taken: list[Pending] = []
        buffer = self.buffer
        while buffer and len(taken) < events and (not taken or buffer[0].size <= size):
            pending = buffer.popleft()
            size -= pending.size
            self.buffered_bytes -= pending.size
            taken.append(pending)
        if taken:
            self._delivered_from_ms = taken[0].record.timestamp_ms
        return taken

    def begin(self, now: float) -> None:
        """Note that a delivery holds records of this partition."""
        self.delivering = True
        self.began_at = now
        self.idle.clear()

    def stands(self, now: float) -> bool:
        """Tell whether it is troubled or slow: what it has buffered may stay for long."""
        return self.failures > 0 or (self.delivering and now - self.began_at > _SLOW_SECONDS)

    def settle(self, entries: Sequence[Pending], *, now: float, chance: float, backoff: Backoff, ask: float) -> None:
        """Take the entries of a delivery back: resolve what is durable, keep the rest in front and back off.

        Args:
            entries: All that this partition gave to the delivery, in order.
            now: Loop time.
            chance: A random number in [0, 1) for the jitter.
            backoff: The trigger's schedule.
            ask: Seconds for which the function asked to be left alone.
        """
        self.delivering = False
        self.idle.set()
        self.waiting_since = now
        self.offsets.resolve([one.record.offset for one in entries if one.fate is Fate.DURABLE])
        rest = [one for one in entries if one.fate is not Fate.DURABLE]
        if not rest:
            self.failures = self.blocked = 0
            return
        self.buffer.extendleft(reversed(rest))
        self.buffered_bytes += sum(one.size for one in rest)
        self.failures += 1
        # Going on behind a record that stands for long would deliver without end what can never be committed.
        self.blocked = len(rest) if any(_stops(one) for one in rest) else 0
        schedule = _CONTENTION if _only_contention(rest) else backoff
        self.retry_at = now + schedule.delay(self.failures, chance=chance, at_least=ask)


def _stops(pending: Pending) -> bool:
    return must_wait(pending) or pending.fate is Fate.DOOMED  # whose dead letter was not acknowledged


def _only_contention(entries: Iterable[Pending]) -> bool:
    classes = {one.failure.failure_class for one in entries if one.failure is not None}
    return classes == {FailureClass.CONTENTION}
