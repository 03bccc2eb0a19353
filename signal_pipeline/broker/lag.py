"""How far a consumer group is behind: log end minus committed offset, asked of the broker without joining the group.

The admin client could tell it too, but librdkafka 2.16 aborts the whole process when the connection to a group's
coordinator is lost during an admin request (its pull request 5397). A consumer that never subscribes asks for the same
offsets by another way.
"""

import threading
from collections.abc import Iterable
from typing import Final

from confluent_kafka import Consumer, KafkaException, TopicPartition

from signal_pipeline.errors import DependencyUnavailable
from signal_pipeline.settings import Settings
from signal_pipeline.topology import Topic

__all__ = ["GroupLag"]

_TIMEOUT_SECONDS: Final = 5.0


class GroupLag:
    """Reads the lag of one group; calls block for at most some seconds and may come from any thread.

    Args:
        settings: Where the broker is.
        group: Consumer group.
        starts_at_end: Whether the group reads a partition without a committed offset from its end.
    """

    def __init__(self, settings: Settings, *, group: str, starts_at_end: bool = False) -> None:
        self._starts_at_end = starts_at_end
        self._lock = threading.Lock()
        self._consumer = Consumer(
            {
                "bootstrap.servers": settings.kafka_bootstrap_servers,
                "group.id": group,
                "enable.auto.commit": False,
                "reconnect.backoff.max.ms": 1000,
                "log_level": 0,  # a broker that is away is told by the error below
            }
        )

    def read(self, keys: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """Return the lag of each partition, named by topic and number.

        Raises:
            DependencyUnavailable: the broker did not tell.
        """
        wanted = [TopicPartition(topic, partition) for topic, partition in keys]
        if not wanted:
            return {}
        try:
            with self._lock:
                committed = self._consumer.committed(wanted, timeout=_TIMEOUT_SECONDS)
                return {(each.topic, each.partition): self._lag(each) for each in committed}
        except KafkaException as exc:
            raise DependencyUnavailable(f"the broker did not tell the lag: {exc.args[0].str()}") from exc

    def total(self, topic: Topic) -> int:
        """Return the lag over all partitions of a topic; raises like `read`."""
        return sum(self.read((topic.name, number) for number in range(topic.partitions)).values())

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            self._consumer.close()

    def _lag(self, committed: TopicPartition) -> int:
        if committed.error is not None:
            raise KafkaException(committed.error)
        begin, end = self._consumer.get_watermark_offsets(committed, timeout=_TIMEOUT_SECONDS)
        start = end if self._starts_at_end else begin
        # A topic that was made anew may end before an old commit: that is no negative lag.
        return max(end - (committed.offset if committed.offset >= 0 else start), 0)
