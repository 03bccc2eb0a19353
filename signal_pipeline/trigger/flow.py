"""How much may be buffered. Values only, no I/O.

1. In all: enough to fill every delivery in flight and the next ones, and never more than a fixed number of bytes.
2. A partition that stands, troubled or slow, may hold only its share: the others' records must not run out of room
   behind it. One that had more when it came to stand counts as its share, so a few such partitions make the buffers
   larger, up to a limit.
"""

from collections.abc import Collection
from typing import Final

from signal_pipeline.trigger.manifest import KafkaTrigger
from signal_pipeline.trigger.partition import Partition, TopicPartitionKey

__all__ = ["has_room", "held_partitions"]

_BUFFER_BYTES: Final = 32 * 1024 * 1024
_LEAST_EVENTS: Final = 2000  # below this a trigger of single events would stall on every poll
_DELIVERIES_AHEAD: Final = 2
_STRETCH: Final = 4  # buffers may grow to so much more behind partitions that stand


def has_room(partitions: Collection[Partition], trigger: KafkaTrigger, *, now: float) -> bool:
    """Tell whether more records may be read."""
    most, (events, size) = _most_events(trigger), _share(partitions, trigger)
    counted_events = sum(min(len(one.buffer), events) if one.stands(now) else len(one.buffer) for one in partitions)
    counted_size = sum(min(one.buffered_bytes, size) if one.stands(now) else one.buffered_bytes for one in partitions)
    return (
        counted_events < most
        and counted_size < _BUFFER_BYTES
        and sum(len(one.buffer) for one in partitions) < most * _STRETCH
        and sum(one.buffered_bytes for one in partitions) < _BUFFER_BYTES * _STRETCH
    )


def held_partitions(
    partitions: Collection[Partition], trigger: KafkaTrigger, *, now: float
) -> frozenset[TopicPartitionKey]:
    """Return the partitions that stand and have their share already."""
    events, size = _share(partitions, trigger)
    return frozenset(
        one.key for one in partitions if one.stands(now) and (len(one.buffer) >= events or one.buffered_bytes >= size)
    )


def _share(partitions: Collection[Partition], trigger: KafkaTrigger) -> tuple[int, int]:
    """Return how many events and bytes a partition that stands may hold."""
    shares = 2 * max(len(partitions), 1)
    return _most_events(trigger) // shares, _BUFFER_BYTES // shares


def _most_events(trigger: KafkaTrigger) -> int:
    return max(trigger.batch_events * (trigger.in_flight + _DELIVERIES_AHEAD), _LEAST_EVENTS)
