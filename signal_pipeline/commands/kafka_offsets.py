"""Where topics begin and end, and how far groups have committed, as ranges of records."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from signal_pipeline.broker.offsets import OffsetReader
from signal_pipeline.errors import DependencyUnavailable
from signal_pipeline.settings import Settings

__all__ = ["KafkaOffsets", "Range", "unread"]

_GROUP: Final = "signal-pipeline-commands"  # the client wants a name, though it neither joins nor commits


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """Records of one partition.

    Attributes:
        begin: First offset.
        end: Offset after the last one.
    """

    begin: int
    end: int

    @property
    def records(self) -> int:
        """How many offsets it spans; transactions leave gaps, so there may be fewer records."""
        return max(self.end - self.begin, 0)


class KafkaOffsets:
    """Reads offsets; one per command.

    Every method raises `DependencyUnavailable`, with what to do next, when the broker does not answer.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._readers: dict[str, OffsetReader] = {}

    def topics(self) -> dict[str, int]:
        """Return every topic with its number of partitions."""
        with _next_step_told():
            return self._reader(_GROUP).topics()

    def ranges(self, topic: str) -> dict[int, Range]:
        """Return what the broker holds of each partition; `LookupError` when there is no such topic."""
        reader = self._reader(_GROUP)
        numbers = self._partitions(topic)
        with _next_step_told():
            held = {number: reader.held(topic, number) for number in numbers}
        return {number: Range(begin=begin, end=end) for number, (begin, end) in held.items()}

    def committed(self, group: str, topic: str) -> dict[int, int | None]:
        """Return the committed offset of each partition; None where the group has committed nothing."""
        numbers = self._partitions(topic)
        with _next_step_told():
            found = self._reader(group).committed((topic, number) for number in numbers)
        return {number: found[topic, number] for number in numbers}

    def _partitions(self, topic: str) -> range:
        count = self.topics().get(topic)
        if not count:
            servers = self._settings.kafka_bootstrap_servers
            raise LookupError(f"there is no topic {topic} at {servers}; create the topics with: make up")
        return range(count)

    def _reader(self, group: str) -> OffsetReader:
        """Return the reader of a group; each keeps its connections, because a command asks again and again."""
        if group not in self._readers:
            self._readers[group] = OffsetReader(self._settings, group=group)
        return self._readers[group]


def unread(ranges: Mapping[int, Range], committed: Mapping[int, int | None]) -> dict[int, Range]:
    """Return what a group has not committed; without a commit it begins at the oldest record.

    >>> unread({0: Range(begin=5, end=9)}, {0: 7})
    {0: Range(begin=7, end=9)}
    """
    return {
        number: Range(begin=min(max(committed.get(number) or 0, held.begin), held.end), end=held.end)
        for number, held in ranges.items()
    }


@contextmanager
def _next_step_told() -> Iterator[None]:
    try:
        yield
    except DependencyUnavailable as exc:
        raise DependencyUnavailable(f"{exc}; start the pipeline with: make up") from exc
