"""Where topics begin and end, and how far groups have committed; asked of the broker without joining a group."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from signal_pipeline.errors import DependencyUnavailable
from signal_pipeline.settings import Settings

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["KafkaOffsets", "Range", "unread"]

_TIMEOUT_SECONDS: Final = 10.0
_FIRST_ANSWER_SECONDS: Final = 5.0  # a broker that is up answers within milliseconds


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
        self._servers = settings.kafka_bootstrap_servers
        self._admin = AdminClient({"bootstrap.servers": self._servers, "log_level": 0})

    def topics(self) -> dict[str, int]:
        """Return every topic with its number of partitions."""
        try:
            found = self._admin.list_topics(timeout=_FIRST_ANSWER_SECONDS).topics
        except KafkaException as exc:
            raise self._unreachable(exc) from exc
        return {name: len(topic.partitions) for name, topic in found.items()}

    def ranges(self, topic: str) -> dict[int, Range]:
        """Return what the broker holds of each partition; `LookupError` when there is no such topic."""
        partitions = self._partitions(topic)
        begins = self._offsets(partitions, OffsetSpec.earliest())  # type: ignore[no-untyped-call]
        ends = self._offsets(partitions, OffsetSpec.latest())  # type: ignore[no-untyped-call]
        return {number: Range(begin=begins[number], end=ends[number]) for number in begins}

    def committed(self, group: str, topic: str) -> dict[int, int | None]:
        """Return the committed offset of each partition; None where the group has committed nothing."""
        partitions = self._partitions(topic)
        request = [ConsumerGroupTopicPartitions(group, partitions)]
        answer = self._admin.list_consumer_group_offsets(request, request_timeout=_TIMEOUT_SECONDS)
        found = {each.partition: each.offset for each in self._result(answer[group]).topic_partitions}
        return {each.partition: _offset_or_none(found.get(each.partition)) for each in partitions}

    def _partitions(self, topic: str) -> list[TopicPartition]:
        count = self.topics().get(topic)
        if not count:
            raise LookupError(f"there is no topic {topic} at {self._servers}; create the topics with: make up")
        return [TopicPartition(topic, number) for number in range(count)]

    def _offsets(self, partitions: list[TopicPartition], wanted: OffsetSpec) -> dict[int, int]:
        answers: Mapping[TopicPartition, Future[Any]] = self._admin.list_offsets(
            dict.fromkeys(partitions, wanted), request_timeout=_TIMEOUT_SECONDS
        )
        return {each.partition: self._result(future).offset for each, future in answers.items()}

    def _result(self, future: "Future[Any]") -> Any:
        try:
            return future.result(timeout=_TIMEOUT_SECONDS)
        except (KafkaException, TimeoutError) as exc:
            raise self._unreachable(exc) from exc

    def _unreachable(self, cause: KafkaException | TimeoutError) -> DependencyUnavailable:
        said = cause.args[0].str() if isinstance(cause, KafkaException) else "no answer in time"
        return DependencyUnavailable(f"Kafka at {self._servers}: {said}; start the pipeline with: make up")


def unread(ranges: Mapping[int, Range], committed: Mapping[int, int | None]) -> dict[int, Range]:
    """Return what a group has not committed; without a commit it begins at the oldest record.

    >>> unread({0: Range(begin=5, end=9)}, {0: 7})
    {0: Range(begin=7, end=9)}
    """
    return {
        number: Range(begin=min(max(committed.get(number) or 0, held.begin), held.end), end=held.end)
        for number, held in ranges.items()
    }


def _offset_or_none(offset: int | None) -> int | None:
    # The broker says -1001 where nothing is committed.
    return offset if offset is not None and offset >= 0 else None
