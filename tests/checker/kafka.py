"""Reads topics to their present end, and what groups have committed; joins no group and commits nothing."""

import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from tests.checker.history import Part
from tests.checker.model import Headers, Position, RawRecord

__all__ = ["GROUPS", "Broker", "offset_reader", "partitions_of", "read_ends", "read_topic"]

# An address, or the settings of a client that logs in.
Broker = str | Mapping[str, Any]
# Which topic a group consumes.
GROUPS = {
    "process-signal": "signal-events",
    "detect-anomaly": "signal-events",
    "confirm-outbox": "anomaly-events",
    "replay-dlq": "signal-events-dlq",
}
_TIMEOUT_SECONDS = 30.0
_BATCH_SECONDS = 0.1


def read_topic(broker: Broker, topic: str, start: Mapping[int, int] | None = None) -> tuple[RawRecord, ...]:
    """Return the committed records of a topic; none when there is no such topic.

    Args:
        broker: Kafka's address, or a client's settings for it.
        topic: Name of the topic.
        start: First offset of each partition; everything when it is not given.

    Raises:
        TimeoutError: the broker did not give the rest of the topic in time.
        KafkaException: the broker cannot be read.
    """
    consumer = Consumer(
        {
            **_client(broker),
            "group.id": f"checker-{uuid.uuid4()}",  # demanded by the client; nothing is committed
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "auto.offset.reset": "error",
        }
    )
    try:
        partitions = partitions_of(consumer, topic)
        first = start or {}
        consumer.assign([TopicPartition(topic, each, first.get(each, OFFSET_BEGINNING)) for each in partitions])
        return tuple(_records(consumer, partitions))
    finally:
        consumer.close()


def offset_reader(broker: Broker, group: str) -> Any:
    """Return a client that asks for offsets in the name of a group, and never joins it."""
    return Consumer({**_client(broker), "group.id": group, "enable.auto.commit": False, "log_level": 0})


def read_ends(broker: Broker) -> dict[Part, tuple[int | None, int]]:
    """Return for each group and partition what is committed, None when nothing is, and the log's end."""
    found: dict[Part, tuple[int | None, int]] = {}
    for group, topic in GROUPS.items():
        with closing(offset_reader(broker, group)) as reader:
            places = [TopicPartition(topic, each) for each in partitions_of(reader, topic)]
            for place in reader.committed(places, timeout=_TIMEOUT_SECONDS) if places else ():
                end = reader.get_watermark_offsets(place, timeout=_TIMEOUT_SECONDS)[1]
                found[group, topic, place.partition] = (place.offset if place.offset >= 0 else None, end)
    return found


def partitions_of(consumer: Any, topic: str) -> set[int]:
    """Return the numbers of a topic's partitions; none when there is no such topic."""
    found = consumer.list_topics(topic, timeout=_TIMEOUT_SECONDS).topics[topic]
    if found.error is not None and found.error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
        raise KafkaException(found.error)
    return set(found.partitions)


def _client(broker: Broker) -> Mapping[str, Any]:
    return {"bootstrap.servers": broker} if isinstance(broker, str) else broker


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
