"""Which offset of a partition may be committed. Pure: no Kafka, no clock.

Rules:
1. The committed offset never passes the lowest record that is not resolved.
2. It never goes backwards.
3. Offsets that hold no record (transaction markers, aborted records, compacted ones) stop nothing: they are passed
   with the next record, or when the end of the partition is reported.
"""

from collections import deque
from collections.abc import Iterable

__all__ = ["PartitionOffsets"]


class PartitionOffsets:
    """Received and resolved records of one partition during one assignment."""

    def __init__(self) -> None:
        self._received: deque[int] = deque()
        self._resolved: set[int] = set()
        self._position: int | None = None
        self._taken: int | None = None

    def receive(self, offset: int) -> None:
        """Note a record that was read; offsets come in rising order."""
        self._received.append(offset)
        self._position = offset + 1

    def reach_end(self, offset: int) -> None:
        """Note that the partition is read up to this offset, which may lie beyond the last record."""
        if self._position is None or offset > self._position:
            self._position = offset

    def resolve(self, offsets: Iterable[int]) -> None:
        """Note records whose effect, or dead letter, is durable; in any order, each received before."""
        self._resolved.update(offsets)
        received, resolved = self._received, self._resolved
        while received and received[0] in resolved:
            resolved.remove(received.popleft())

    @property
    def unresolved(self) -> int:
        """Number of records that were read and are not resolved."""
        return len(self._received) - len(self._resolved)

    @property
    def committable(self) -> int | None:
        """The offset to commit: the lowest unresolved record, else the position; None before anything was read."""
        return self._received[0] if self._received else self._position

    def take_commit(self) -> int | None:
        """Return `committable` if it moved since the last call, else None."""
        offset = self.committable
        if offset is None or offset == self._taken:
            return None
        self._taken = offset
        return offset
