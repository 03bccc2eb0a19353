"""How far a consumer group is behind a topic: log end minus committed offset, over all partitions."""

from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import OFFSET_INVALID, ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from signal_pipeline.errors import DependencyUnavailable
from signal_pipeline.settings import Settings
from signal_pipeline.topology import Topic

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

__all__ = ["GroupLag"]

_TIMEOUT_SECONDS: Final = 5.0
# The library annotates neither.
_LATEST: Final = OffsetSpec.latest()  # type: ignore[no-untyped-call]
_EARLIEST: Final = OffsetSpec.earliest()  # type: ignore[no-untyped-call]


class GroupLag:
    """Asks the broker, without joining the group; one per process."""

    def __init__(self, settings: Settings) -> None:
        self._admin = AdminClient(
            {"bootstrap.servers": settings.kafka_bootstrap_servers, "socket.timeout.ms": int(_TIMEOUT_SECONDS * 1000)}
        )

    def read(self, group: str, topic: Topic) -> int:
        """Return the records of a topic that a group has not committed; blocks for at most some seconds.

        A partition without a commit counts from its oldest record, where a new group of ours begins.

        Raises:
            DependencyUnavailable: the broker did not answer.
        """
        partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        try:
            committed = self._committed(group, partitions)
            ends = self._offsets(partitions, _LATEST)
            unread = [each for each in partitions if committed.get(each.partition, OFFSET_INVALID) < 0]
            begins = self._offsets(unread, _EARLIEST) if unread else {}
        except (KafkaException, TimeoutError) as exc:
            raise DependencyUnavailable("the broker did not tell the offsets of a group") from exc
        # A topic that was made anew may end before an old commit: that is no negative lag.
        return sum(max(end - begins.get(number, committed.get(number, 0)), 0) for number, end in ends.items())

    def _committed(self, group: str, partitions: list[TopicPartition]) -> dict[int, int]:
        request = [ConsumerGroupTopicPartitions(group, partitions)]
        answer = self._admin.list_consumer_group_offsets(request, request_timeout=_TIMEOUT_SECONDS)
        found = _result(answer[group])
        return {each.partition: each.offset for each in found.topic_partitions}

    def _offsets(self, partitions: list[TopicPartition], wanted: OffsetSpec) -> dict[int, int]:
        answers: Mapping[TopicPartition, Future[Any]] = self._admin.list_offsets(
            dict.fromkeys(partitions, wanted), request_timeout=_TIMEOUT_SECONDS
        )
        return {each.partition: _result(future).offset for each, future in answers.items()}


def _result(future: "Future[Any]") -> Any:
    return future.result(timeout=_TIMEOUT_SECONDS)
