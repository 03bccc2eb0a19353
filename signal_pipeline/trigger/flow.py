"""How much may be buffered. Values only, no I/O.

1. In all: enough to fill every delivery in flight and the next ones, and never more than a fixed number of bytes.
2. A troubled partition may hold only its share: the others' records must not run out of room behind it.
"""

from collections.abc import Collection
from typing import Final

from signal_pipeline.trigger.manifest import KafkaTrigger
from signal_pipeline.trigger.partition import Partition, TopicPartitionKey

__all__ = ["has_room", "held_partitions"]

_BUFFER_BYTES: Final = 32 * 1024 * 1024
_LEAST_EVENTS: Final = 2000  # below this a trigger of single events would stall on every poll
_DELIVERIES_AHEAD: Final = 2


def has_room(partitions: Collection[Partition], trigger: KafkaTrigger) -> bool:
    """Tell whether more records may be read."""
    events = sum(len(one.buffer) for one in partitions)
    size = sum(one.buffered_bytes for one in partitions)
    return events < _most_events(trigger) and size < _BUFFER_BYTES


def held_partitions(partitions: Collection[Partition], trigger: KafkaTrigger) -> frozenset[TopicPartitionKey]:
    """Return the troubled partitions that have their share already."""
    shares = 2 * max(len(partitions), 1)
    events, size = _most_events(trigger) // shares, _BUFFER_BYTES // shares
    return frozenset(
        one.key for one in partitions if one.failures and (len(one.buffer) >= events or one.buffered_bytes >= size)
    )


def _most_events(trigger: KafkaTrigger) -> int:
    return max(trigger.batch_events * (trigger.in_flight + _DELIVERIES_AHEAD), _LEAST_EVENTS)
