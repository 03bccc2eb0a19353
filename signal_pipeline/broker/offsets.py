"""Offsets as the broker has them, asked for without joining a group: what it holds, and how far a group has committed.

The admin client could tell committed offsets too, but librdkafka 2.16 aborts the whole process when the connection to a
group's coordinator is lost during an admin request (its pull request 5397). A consumer that never subscribes asks for
the same offsets by another way.
"""

import threading
from collections.abc import Iterable
from typing import Final

from confluent_kafka import Consumer, KafkaException, TopicPartition

from signal_pipeline.broker.config import client_config
from signal_pipeline.errors import DependencyUnavailable
from signal_pipeline.settings import Settings

__all__ = ["OffsetReader"]

_TIMEOUT_SECONDS: Final = 5.0  # a broker that is up answers within milliseconds


class OffsetReader:
    """Reads offsets in the name of one group; calls block for at most some seconds and may come from any thread.

    Every method but `close` raises `DependencyUnavailable` when the broker does not answer.

    Args:
        settings: Where the broker is.
        group: Consumer group.
    """

    def __init__(self, settings: Settings, *, group: str) -> None:
        self._servers = settings.kafka_bootstrap_servers
        self._lock = threading.Lock()
        self._consumer = Consumer(
            {
                **client_config(settings),
                "group.id": group,
                "enable.auto.commit": False,
                "reconnect.backoff.max.ms": 1000,
                "log_level": 0,  # a broker that is away is told by the error below
            }
        )

    def topics(self) -> dict[str, int]:
        """Return every topic with its number of partitions."""
        try:
            with self._lock:
                found = self._consumer.list_topics(timeout=_TIMEOUT_SECONDS).topics
        except KafkaException as exc:
            raise self._unreachable(exc) from exc
        return {name: len(topic.partitions) for name, topic in found.items()}

    def held(self, topic: str, partition: int) -> tuple[int, int]:
        """Return the first offset that a partition still holds, and the one after the last that may be read."""
        try:
            with self._lock:
                answer = self._consumer.get_watermark_offsets(
                    TopicPartition(topic, partition), timeout=_TIMEOUT_SECONDS
                )
        except KafkaException as exc:
            raise self._unreachable(exc) from exc
        if answer is None:
            raise DependencyUnavailable(f"Kafka at {self._servers}: no answer in time")
        return answer

    def committed(self, keys: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int | None]:
        """Return the group's committed offset of each topic and partition; None where it has committed nothing."""
        wanted = [TopicPartition(topic, partition) for topic, partition in keys]
        try:
            with self._lock:
                found = self._consumer.committed(wanted, timeout=_TIMEOUT_SECONDS) if wanted else []
            return {(each.topic, each.partition): _offset(each) for each in found}
        except KafkaException as exc:
            raise self._unreachable(exc) from exc

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            self._consumer.close()

    def _unreachable(self, cause: KafkaException) -> DependencyUnavailable:
        return DependencyUnavailable(f"Kafka at {self._servers}: {cause.args[0].str()}")


def _offset(committed: TopicPartition) -> int | None:
    if committed.error is not None:
        raise KafkaException(committed.error)
    return committed.offset if committed.offset >= 0 else None  # -1001 where nothing is committed
