"""How far a consumer group is behind: log end minus committed offset, asked of the broker without joining the group."""

from collections.abc import Iterable

from signal_pipeline.broker.offsets import OffsetReader
from signal_pipeline.settings import Settings
from signal_pipeline.topology import Topic

__all__ = ["GroupLag"]


class GroupLag:
    """Reads the lag of one group; calls block for at most some seconds and may come from any thread.

    Args:
        settings: Where the broker is.
        group: Consumer group.
        starts_at_end: Whether the group reads a partition without a committed offset from its end.
    """

    def __init__(self, settings: Settings, *, group: str, starts_at_end: bool = False) -> None:
        self._starts_at_end = starts_at_end
        self._offsets = OffsetReader(settings, group=group)

    def read(self, keys: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """Return the lag of each partition, named by topic and number.

        Raises:
            DependencyUnavailable: the broker did not tell.
        """
        return {key: self._lag(key, committed) for key, committed in self._offsets.committed(keys).items()}

    def total(self, topic: Topic) -> int:
        """Return the lag over all partitions of a topic; raises like `read`."""
        return sum(self.read((topic.name, number) for number in range(topic.partitions)).values())

    def close(self) -> None:
        """Close the connections."""
        self._offsets.close()

    def _lag(self, key: tuple[str, int], committed: int | None) -> int:
        begin, end = self._offsets.held(*key)
        start = end if self._starts_at_end else begin
        # A topic that was made anew may end before an old commit: that is no negative lag.
        return max(end - (start if committed is None else committed), 0)
