"""Reads topics from their beginning to their present end, with no consumer group and no commit."""

import time
import uuid
from collections.abc import Iterator
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from tests.checker.model import Headers, Position, RawRecord

__all__ = ["read_topic"]

_TIMEOUT_SECONDS = 30.0
_BATCH_SECONDS = 0.1


def read_topic(bootstrap: str, topic: str) -> tuple[RawRecord, ...]:
    """Return the committed records of a topic; none when there is no such topic.

    Raises:
        TimeoutError: the broker did not give the rest of the topic in time.
        KafkaException: the broker cannot be read.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"checker-{uuid.uuid4()}",  # demanded by the client; nothing is committed
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "auto.offset.reset": "error",
        }
    )
    try:
        partitions = _partitions(consumer, topic)
        consumer.assign([TopicPartition(topic, each, OFFSET_BEGINNING) for each in partitions])
        return tuple(_records(consumer, partitions))
    finally:
        consumer.close()


def _partitions(consumer: Any, topic: str) -> set[int]:
    found = consumer.list_topics(topic, timeout=_TIMEOUT_SECONDS).topics[topic]
    if found.error is not None and found.error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
        raise KafkaException(found.error)
    return set(found.partitions)


def _records(consumer: Any, unfinished: set[int]) -> Iterator[RawRecord]:
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while unfinished:
        # consume() waits for the whole number or the whole time, so the time is short.
        for message in consumer.consume(1000, timeout=_BATCH_SECONDS):
            deadline = time.monotonic() + _TIMEOUT_SECONDS
            error = message.error()
            if error is None:
                yield _record(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                unfinished.discard(message.partition())
            else:
                raise KafkaException(error)
        if time.monotonic() > deadline:
            raise TimeoutError(f"partitions {sorted(unfinished)} gave no record in {_TIMEOUT_SECONDS} s")


def _record(message: Any) -> RawRecord:
    headers: Headers = tuple((name, content) for name, content in message.headers() or ())
    return RawRecord(
        key=message.key(),
        value=message.value(),
        headers=headers,
        position=Position(topic=message.topic(), partition=message.partition(), offset=message.offset()),
    )
