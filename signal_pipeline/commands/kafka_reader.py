"""Reads given ranges of a topic with assigned partitions: joins no group, commits nothing, disturbs nobody."""

import time
from collections.abc import Iterator, Mapping
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from signal_pipeline.broker.config import consumer_config
from signal_pipeline.commands.kafka_offsets import Range
from signal_pipeline.errors import DependencyUnavailable
from signal_pipeline.events.client_headers import headers_of
from signal_pipeline.events.kafka import KafkaRecord
from signal_pipeline.settings import Settings

__all__ = ["read_ranges"]

_BATCH: Final = 10_000  # one lookup in the database costs about the same for 100 records as for 1,000
_POLL_SECONDS: Final = 0.05  # `consume` waits this long for a batch to fill
_SILENCE_SECONDS: Final = 30.0
_GROUP: Final = "signal-pipeline-commands"  # the client wants a name, though it neither joins nor commits


def read_ranges(settings: Settings, topic: str, ranges: Mapping[int, Range]) -> Iterator[list[KafkaRecord]]:
    """Yield the records of the ranges in batches, each partition in order.

    Records that retention deletes meanwhile are skipped.

    Raises:
        DependencyUnavailable: the broker fell silent.
    """
    wanted = {number: span for number, span in ranges.items() if span.records}
    if not wanted:
        return
    config = consumer_config(settings, group=_GROUP, offset_reset="earliest", protocol="classic")
    consumer = Consumer({**config, "log_level": 0})
    try:
        consumer.assign([TopicPartition(topic, number, span.begin) for number, span in wanted.items()])
        yield from _batches(consumer, topic, wanted)
    finally:
        consumer.close()


def _batches(consumer: Consumer, topic: str, wanted: dict[int, Range]) -> Iterator[list[KafkaRecord]]:
    open_ends = {number: span.end for number, span in wanted.items()}
    heard_at = time.monotonic()
    while open_ends:
        messages = consumer.consume(_BATCH, _POLL_SECONDS)
        if messages:
            heard_at = time.monotonic()
        elif time.monotonic() - heard_at > _SILENCE_SECONDS:
            raise DependencyUnavailable(f"Kafka sends nothing of {topic}; see its log with: make logs-kafka")
        batch = []
        for message in messages:
            number, offset, is_record = _place(message)
            end = open_ends.get(number, 0)
            if is_record and offset < end:
                batch.append(_record(message, topic, number, offset))
            if number in open_ends and offset + is_record >= end:
                del open_ends[number]
                consumer.pause([TopicPartition(topic, number)])
        if batch:
            yield batch


def _place(message: Message) -> tuple[int, int, bool]:
    """Return partition and offset of a message, and whether it is a record.

    The other kind is the end of a partition: it tells that a range is read whose last offset is a transaction marker.
    """
    error = message.error()
    if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's own code
        raise DependencyUnavailable(f"Kafka cannot be read: {error.str()}") from KafkaException(error)
    partition, offset = message.partition(), message.offset()
    return -1 if partition is None else partition, -1 if offset is None else offset, error is None


def _record(message: Message, topic: str, partition: int, offset: int) -> KafkaRecord:
    return KafkaRecord(
        topic=topic,
        partition=partition,
        offset=offset,
        timestamp_ms=message.timestamp()[1],
        key=message.key(),
        value=message.value(),
        headers=headers_of(message),
    )
