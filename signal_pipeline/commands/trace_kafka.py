"""Records that Kafka still holds of an event: a scan of the topics, for an event does not say where it lies."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from signal_pipeline.commands.kafka_offsets import KafkaOffsets
from signal_pipeline.commands.kafka_reader import read_ranges
from signal_pipeline.commands.screen import progress
from signal_pipeline.commands.trace_store import Moment
from signal_pipeline.domain.signals import signal_id
from signal_pipeline.events.kafka import KafkaRecord, binary_attributes
from signal_pipeline.settings import Settings
from signal_pipeline.topology import ANOMALY_EVENTS, DEAD_LETTERS, QUARANTINE, SIGNAL_EVENTS

__all__ = ["kafka_moments"]

_TOPICS: Final = (SIGNAL_EVENTS.name, DEAD_LETTERS.name, QUARANTINE.name, ANOMALY_EVENTS.name)
_NAMING: Final = ("id", "correlationid", "dlqid", "dlqorigin", "traceparent")


def kafka_moments(settings: Settings, ids: frozenset[str]) -> list[Moment]:
    """Return the records, in binary mode, whose event, correlation or dead-letter id is among these."""
    offsets = KafkaOffsets(settings)
    return [moment for topic in _TOPICS for moment in _of_topic(settings, offsets, topic, ids)]


def _of_topic(settings: Settings, offsets: KafkaOffsets, topic: str, ids: frozenset[str]) -> Iterator[Moment]:
    ranges, done = offsets.ranges(topic), 0
    with progress(f"reading {topic}", sum(span.records for span in ranges.values())) as advance:
        for batch in read_ranges(settings, topic, ranges):
            yield from (moment for record in batch if (moment := _moment(record, ids)) is not None)
            done += len(batch)
            advance(done)


def _moment(record: KafkaRecord, ids: frozenset[str]) -> Moment | None:
    attributes = binary_attributes(record.headers)
    named = {attributes.get(name) for name in _NAMING}
    if "source" in attributes and "id" in attributes:
        named.add(str(signal_id(attributes["source"], attributes["id"])))
    if not ids & named:
        return None
    facts = {
        "partition": record.partition,
        "offset": record.offset,
        "event_id": attributes.get("id"),
        "source": attributes.get("source"),
        "correlation_id": attributes.get("correlationid"),
        "traceparent": attributes.get("traceparent"),
    }
    return Moment(
        at=datetime.fromtimestamp(max(record.timestamp_ms, 0) / 1000, UTC),
        what="on Kafka",
        id=record.topic,
        facts={name: fact for name, fact in facts.items() if fact is not None},
    )
