"""Which records go into the next delivery. Values only, no I/O.

Rules:
1. A partition is in at most one delivery at a time: its order is kept.
2. A delivery is filled partition by partition, the longest unserved first, so that a backlog leaves partitions for the
   other deliveries in flight, and a trickle over all partitions travels together.
3. A partition whose last delivery left something is troubled: it travels alone, in a slot that is not taken from the
   others, until it succeeds. So a slow or failing partition costs the others nothing.
4. When what was left must wait, or its dead letter could not be written, the partition stands: its next delivery holds
   that and nothing behind it.
5. A delivery that is not full waits for the batch window, not longer.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from signal_pipeline.trigger.manifest import KafkaTrigger
from signal_pipeline.trigger.partition import Partition
from signal_pipeline.trigger.pending import Pending

__all__ = ["Load", "next_healthy_load", "next_probe", "next_troubled_load"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """The records of one delivery.

    Attributes:
        parts: What each partition gave, in its order.
        troubled: Whether it is the delivery of a troubled partition.
        probe: Whether it asks, behind an open breaker, if things work again.
    """

    parts: Sequence[tuple[Partition, list[Pending]]]
    troubled: bool = False
    probe: bool = False

    @property
    def entries(self) -> list[Pending]:
        """All records, in the order of delivery."""
        return [pending for _, part in self.parts for pending in part]


def next_healthy_load(
    partitions: Iterable[Partition], trigger: KafkaTrigger, *, now: float, events: int
) -> Load | None:
    """Fill a delivery from partitions that work.

    Args:
        partitions: Assigned partitions, the longest unserved first.
        trigger: Limits of a delivery.
        now: Loop time.
        events: Most records of this delivery.

    Returns:
        The delivery; None when there is nothing, or not enough yet.
    """
    ready = [one for one in partitions if not one.failures and one.ready(now)]
    if not ready or not _due(ready, trigger, now=now, events=events):
        return None
    parts: list[tuple[Partition, list[Pending]]] = []
    size = trigger.batch_bytes
    for partition in ready:
        if parts and partition.buffer[0].size > size:
            continue
        part = partition.take(events, size)
        partition.begin(now)
        parts.append((partition, part))
        events -= len(part)
        size -= sum(one.size for one in part)
        if events <= 0 or size <= 0:
            break
    return Load(parts=parts)


def next_troubled_load(
    partitions: Iterable[Partition], trigger: KafkaTrigger, *, now: float, events: int
) -> Load | None:
    """Take the next delivery of a partition that failed before and may try again."""
    for partition in partitions:
        if partition.failures and partition.ready(now):
            part = partition.take(min(partition.blocked or events, events), trigger.batch_bytes)
            partition.begin(now)
            return Load(parts=[(partition, part)], troubled=True)
    return None


def next_probe(partitions: Iterable[Partition], *, now: float) -> Load | None:
    """Take a single record, to ask whether the function works again."""
    for partition in partitions:
        if partition.startable:
            part = partition.take(1, 0)
            partition.begin(now)
            return Load(parts=[(partition, part)], troubled=True, probe=True)
    return None


def _due(ready: Sequence[Partition], trigger: KafkaTrigger, *, now: float, events: int) -> bool:
    if now - min(one.waiting_since for one in ready) >= trigger.batch_window_seconds:
        return True
    waiting = sum(len(one.buffer) for one in ready)
    return waiting >= events or sum(one.buffered_bytes for one in ready) >= trigger.batch_bytes
