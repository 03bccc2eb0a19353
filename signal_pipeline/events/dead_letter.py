"""Dead letters as they reach replay-dlq, in every form that a source can give them. Pure.

form                                     comes from                                  original record
a record, type RAW_RECORD_TYPE           our trigger, which wraps it in base64       byte for byte
a CloudEvent with `dlq*` extensions      a KafkaSource, which kept `ce_*` headers    rebuilt from the event
`kafkaheadercedlq*` extensions           a KafkaSource, which wrapped a record       value and key; header names reduced
a CloudEvent with `knativeerror*`        Knative gave it up, our trigger never did   rebuilt from the event
anything else                            someone who wrote to the topic              as it is: poison
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

import orjson
from pydantic import Base64Bytes, TypeAdapter, ValidationError
from typing_extensions import TypedDict  # pydantic reads typed dictionaries only from this one before Python 3.12

from signal_pipeline.domain.dead_letters import NAMES, ORIGIN_HEADER, DeadLetterMetadata, original_headers
from signal_pipeline.domain.signals import Signal, signal_of
from signal_pipeline.errors import InvalidEvent
from signal_pipeline.events.dead_letter_metadata import (
    garbage_metadata,
    knative_metadata,
    knative_metadata_of_record,
    named_values,
    read_metadata,
    uuid_or_none,
)
from signal_pipeline.events.envelope import CloudEvent
from signal_pipeline.events.kafka import Headers, KafkaRecord, binary_attributes, decode_record, encode_record
from signal_pipeline.events.kafka_wire import RAW_RECORD_TYPE
from signal_pipeline.topology import DEAD_LETTERS

__all__ = ["DeadLetter", "letter_of", "letter_of_record", "signal_of_record"]

_WRAPPED_HEADER: Final = "kafkaheader"
# The one header name of an original record that must survive: replay counts attempts by it.
_RESTORED: Final = {f"{_WRAPPED_HEADER}cedlqorigin": ORIGIN_HEADER}
_TRANSPORT: Final = ("dlq", "knativeerror", "knativekafka", "knativearrivaltime")
# Knative copies the function's headers `Kne-<name>` as extensions `<name>`. The copy of `Kne-Correlationid` cannot be
# told from the event's own, which it equals where the event has one.
_KNATIVE_COPIES: Final = frozenset({"failureclass", "errorid"})


class _RawRecord(TypedDict):
    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key_base64: Base64Bytes | None
    value_base64: Base64Bytes | None
    headers: list[tuple[str, Base64Bytes | None]]


_RAW_RECORD: Final = TypeAdapter(_RawRecord)


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetter:
    """One dead letter, whatever form it came in.

    Attributes:
        metadata: Where the record came from and why it was given up.
        origin: The dead letter that the record says it was replayed from; a claim, to be checked.
        key: Key of the original record.
        value: Value of the original record.
        headers: Headers of the original record.
        event_id: CloudEvents id, when it can be read.
        event_source: CloudEvents source, when it can be read.
        signal_id: Key that the event has in table signals, when it is a signal.
    """

    metadata: DeadLetterMetadata
    origin: UUID | None
    key: bytes | None
    value: bytes | None
    headers: Headers
    event_id: str | None
    event_source: str | None
    signal_id: UUID | None


def letter_of(event: CloudEvent, *, now: datetime) -> DeadLetter:
    """Return the dead letter that an event carries, whatever its form.

    Args:
        event: What the trigger, or a KafkaSource, sent.
        now: Time of arrival.

    Raises:
        InvalidEvent: the event says that it carries a record, and does not.
    """
    if event.type == RAW_RECORD_TYPE:
        return letter_of_record(_record(event.data), now=now)
    return _letter_of_source_event(event, now)


def letter_of_record(record: KafkaRecord, *, now: datetime) -> DeadLetter:
    """Return the dead letter that a record of the dead-letter topic is."""
    original = original_headers(record.headers)
    metadata = None
    if len(original) < len(record.headers):
        ours = record.headers[-len(NAMES) :]
        metadata = read_metadata({name: (value or b"").decode(errors="replace") for name, value in ours}, now=now)
    place = {"partition": record.partition, "offset": record.offset, "timestamp_ms": record.timestamp_ms}
    if metadata is None:
        original = record.headers
        metadata = knative_metadata_of_record(binary_attributes(original), **place, now=now)
        if metadata is not None:
            original = tuple(header for header in original if not _is_of_knative(header[0]))
    return _identified(
        metadata or garbage_metadata(topic=record.topic, **place, now=now),
        KafkaRecord(
            record.topic, record.partition, record.offset, record.timestamp_ms, record.key, record.value, original
        ),
        now,
    )


def signal_of_record(record: KafkaRecord, *, now: datetime) -> Signal | None:
    """Return the signal that an original record is; None when it is none."""
    try:
        signal = signal_of(decode_record(record, source=""), accepted_at=now)
    except InvalidEvent:
        return None
    return signal if isinstance(signal, Signal) else None


def _letter_of_source_event(event: CloudEvent, now: datetime) -> DeadLetter:
    """Return the dead letter that a KafkaSource made this event of."""
    extensions = {name: str(value) for name, value in event.extensions.items()}
    wrapped = f"{_WRAPPED_HEADER}cedlqid" in extensions
    prefix = f"{_WRAPPED_HEADER}ce" if wrapped else ""
    metadata = read_metadata(named_values(extensions, prefix=prefix), now=now)
    partition, offset = _place(event, extensions)
    place = {"partition": partition, "offset": offset, "timestamp_ms": 0}
    if metadata is None:
        metadata = knative_metadata(extensions, **place, now=now)
    if metadata is None:
        metadata = garbage_metadata(topic=DEAD_LETTERS.name, **place, now=now)
    record = _unwrapped(event, extensions) if wrapped else _rebuilt(event, metadata.topic)
    return _identified(metadata, record, now)


def _record(data: Any) -> KafkaRecord:
    try:
        raw = _RAW_RECORD.validate_python(data)
    except ValidationError as exc:
        raise InvalidEvent("the data is no Kafka record", code="invalid_record") from exc
    return KafkaRecord(
        topic=raw["topic"],
        partition=raw["partition"],
        offset=raw["offset"],
        timestamp_ms=raw["timestamp_ms"],
        key=raw["key_base64"],
        value=raw["value_base64"],
        headers=tuple(raw["headers"]),
    )


def _identified(metadata: DeadLetterMetadata, record: KafkaRecord, now: datetime) -> DeadLetter:
    """Add who the event is, as far as the original record tells."""
    attributes = binary_attributes(record.headers)
    event_id, source, signal_id = attributes.get("id"), attributes.get("source"), None
    try:
        event = decode_record(record, source="")
    except InvalidEvent:
        event = None
    if event is not None:
        event_id, source = event.id, event.source
        signal = signal_of(event, accepted_at=now)
        signal_id = signal.id if isinstance(signal, Signal) else None
    return DeadLetter(
        metadata=metadata,
        origin=uuid_or_none(attributes.get(ORIGIN_HEADER.removeprefix("ce_"))),
        key=record.key,
        value=record.value,
        headers=record.headers,
        event_id=event_id,
        event_source=source,
        signal_id=signal_id,
    )


def _place(event: CloudEvent, extensions: dict[str, str]) -> tuple[int, int]:
    """Return where the dead letter lay; for an event that came without Kafka, a place made of its identity."""
    partition, offset = extensions.get("knativekafkapartition", ""), extensions.get("knativekafkaoffset", "")
    if partition.isdigit() and offset.isdigit():
        return int(partition), int(offset)
    digest = sha256(orjson.dumps([event.source, event.id])).digest()
    return -1, int.from_bytes(digest[:7])


def _rebuilt(event: CloudEvent, topic: str) -> KafkaRecord:
    """Write the event again as the record it was, without what the transport added."""
    own = {name: value for name, value in event.extensions.items() if not _is_transport(name)}
    given_up_by_knative = any(name.startswith("knativeerror") for name in event.extensions)
    kept = {name: value for name, value in own.items() if not (given_up_by_knative and name in _KNATIVE_COPIES)}
    encoded = encode_record(
        CloudEvent(
            id=event.id,
            source=event.source,
            type=event.type,
            subject=event.subject,
            time=event.time,
            datacontenttype=event.datacontenttype,
            dataschema=event.dataschema,
            extensions=kept,
            data=event.data,
            data_json=event.data_json,
            data_bytes=event.data_bytes,
        ),
        topic=topic,
    )
    return KafkaRecord(topic, 0, 0, 0, encoded.key, encoded.value, encoded.headers)


def _is_of_knative(header: str) -> bool:
    """Tell whether a header is an attribute that Knative added to the event that it gave up."""
    name = header.removeprefix("ce_")
    return name != header and (name in _KNATIVE_COPIES or (_is_transport(name) and not name.startswith("dlq")))


def _is_transport(name: str) -> bool:
    return name.startswith(_TRANSPORT) and name != ORIGIN_HEADER.removeprefix("ce_")


def _unwrapped(event: CloudEvent, extensions: dict[str, str]) -> KafkaRecord:
    """Return the plain record that a KafkaSource wrapped; the other characters of its header names are lost."""
    ours = {f"{_WRAPPED_HEADER}ce{name.removeprefix('ce_')}" for name in NAMES}
    headers = [
        (_RESTORED.get(name, name.removeprefix(_WRAPPED_HEADER)), value.encode())
        for name, value in extensions.items()
        if name.startswith(_WRAPPED_HEADER) and name not in ours
    ]
    if event.datacontenttype is not None:
        headers.append(("content-type", event.datacontenttype.encode()))
    key = extensions.get("key")
    value = event.data_json if event.data_json is not None else event.data_bytes
    return KafkaRecord(DEAD_LETTERS.name, 0, 0, 0, None if key is None else key.encode(), value, tuple(headers))
