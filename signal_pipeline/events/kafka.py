"""The Kafka protocol binding of CloudEvents: records to events and back. Pure: bytes and headers in, values out.

Rules of reading, in this order:
1. `content-type: application/cloudevents+json`: structured mode, the value is the whole event.
2. a header `ce_specversion`: binary mode, `ce_*` headers are attributes, the value is the data.
3. anything else is a plain record and becomes the event that a Knative KafkaSource makes of it: type
   `dev.knative.kafka.event`, id `partition:<p>/offset:<o>`, each header an extension `kafkaheader<name>`.

Unlike a KafkaSource, a record that claims to be a CloudEvent and is not a valid one is not disguised as a plain record:
the function refuses it and names the attribute that is wrong.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple

from signal_pipeline.domain.trace_ids import sound_traceparent
from signal_pipeline.events.envelope import JSON_CONTENT_TYPE, CloudEvent, event_from_attributes, event_from_json
from signal_pipeline.events.json_guard import load_json

__all__ = [
    "PLAIN_RECORD_TYPE",
    "Headers",
    "KafkaRecord",
    "OutgoingRecord",
    "binary_attributes",
    "decode_record",
    "encode_record",
    "event_key",
    "instant_text",
    "is_structured_content",
    "plain_attributes",
    "record_time_text",
    "trace_of",
]

PLAIN_RECORD_TYPE: Final = "dev.knative.kafka.event"
_STRUCTURED: Final = "application/cloudevents+json"
_LAST_MILLISECOND: Final = 253_402_300_799_000  # the last second of the year 9999
_NOT_IN_EXTENSION_NAME: Final = re.compile("[^a-z0-9]")
_EXTENSION_NAME_LENGTH: Final = 64  # as the envelope takes
_TRACE_HEADERS: Final = frozenset({"ce_traceparent", "traceparent"})
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")

Headers = tuple[tuple[str, bytes | None], ...]


class KafkaRecord(NamedTuple):
    """One record as it was read; a tuple, because a trigger makes hundreds of thousands a second.

    Attributes:
        topic: Topic.
        partition: Partition.
        offset: Offset in the partition.
        timestamp_ms: The broker's or producer's timestamp, milliseconds since 1970.
        key: Key, None when absent.
        value: Value, None for a tombstone.
        headers: Headers in order, names may repeat, a value may be None.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class OutgoingRecord:
    """One record to be produced.

    Attributes:
        topic: Topic.
        key: Key, which decides the partition.
        value: Value.
        headers: Headers in order.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


def encode_record(event: CloudEvent, *, topic: str) -> OutgoingRecord:
    """Write an event in Kafka binary mode, keyed so that events of one user keep their order."""
    content_type = event.datacontenttype or (JSON_CONTENT_TYPE if event.data_json is not None else None)
    headers: list[tuple[str, bytes | None]] = [
        ("ce_specversion", b"1.0"),
        ("ce_id", event.id.encode()),
        ("ce_source", event.source.encode()),
        ("ce_type", event.type.encode()),
    ]
    if event.subject is not None:
        headers.append(("ce_subject", event.subject.encode()))
    if event.time is not None:
        headers.append(("ce_time", instant_text(event.time).encode()))
    if event.dataschema is not None:
        headers.append(("ce_dataschema", event.dataschema.encode()))
    headers.extend((f"ce_{name}", _extension_bytes(value)) for name, value in event.extensions.items())
    if content_type is not None:
        headers.append(("content-type", content_type.encode()))
    value = event.data_json if event.data_json is not None else event.data_bytes
    return OutgoingRecord(topic=topic, key=event_key(event).encode(), value=value, headers=tuple(headers))


def event_key(event: CloudEvent) -> str:
    """Return the Kafka key of an event: its partition key, else its user, else its id."""
    key = event.extensions.get("partitionkey") or event.extensions.get("userid") or event.subject or event.id
    return str(key)


def decode_record(record: KafkaRecord, *, source: str) -> CloudEvent:
    """Read a record in any of the three forms.

    Args:
        record: The record.
        source: Address of the source that a plain record is said to come from, without the topic.

    Raises:
        InvalidEvent: with the name of the attribute that is wrong.
    """
    attributes = binary_attributes(record.headers)
    if is_structured_content(attributes):
        value, plain = load_json(record.value or b"")
        return event_from_json(value, plain=plain)
    if "specversion" not in attributes:
        attributes = plain_attributes(record, source=source)
    return event_from_attributes(attributes, record.value)


def is_structured_content(attributes: Mapping[str, str]) -> bool:
    """Tell from the attributes of a record's headers whether its value is a whole event."""
    return attributes.get("datacontenttype", "").startswith(_STRUCTURED)


def binary_attributes(headers: Headers) -> dict[str, str]:
    """Return the attributes that `ce_*` headers carry; a null header is an absent attribute, the last of two wins."""
    attributes: dict[str, str] = {}
    for name, value in headers:
        attribute = _attribute_of(name)
        if attribute is None or value is None:
            continue
        try:
            attributes[attribute] = value.decode()
        except UnicodeDecodeError:
            # U+001A SUBSTITUTE is a control character, which no attribute may have: the function refuses the event
            # instead of storing an altered text.
            attributes[attribute] = value.decode("utf-8", "replace").replace("\ufffd", "\x1a")
    return attributes


def trace_of(record: KafkaRecord) -> str:
    """Return the W3C trace context in a record's headers; empty when it has none that is sound."""
    for name, value in record.headers:
        if name in _TRACE_HEADERS and value is not None:
            return sound_traceparent(value.decode("ascii", "replace")) or ""
    return ""


def plain_attributes(record: KafkaRecord, *, source: str) -> dict[str, str]:
    """Return the attributes that a KafkaSource gives a record which is no CloudEvent."""
    attributes = {
        "specversion": "1.0",
        "id": f"partition:{record.partition}/offset:{record.offset}",
        "source": f"{source}#{record.topic}",
        "type": PLAIN_RECORD_TYPE,
        "subject": f"partition:{record.partition}#{record.offset}",
        "time": record_time_text(record),
    }
    if record.key:
        attributes["partitionkey"] = attributes["key"] = _attribute_text(record.key)
    for name, value in record.headers:
        if value is None:
            continue
        text = _attribute_text(value)
        if name.lower() == "content-type":
            attributes["datacontenttype"] = text.lower()
        else:
            extension = "kafkaheader" + _NOT_IN_EXTENSION_NAME.sub("", name.lower())
            attributes[extension[:_EXTENSION_NAME_LENGTH]] = text
    return attributes


def _attribute_text(value: bytes) -> str:
    """Return bytes as an attribute: their text, or base64 where an attribute cannot hold it.

    Keys and headers of plain records are often binary (numbers, trace contexts); that must not cost the record.
    """
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()
    return base64.b64encode(value).decode() if _CONTROL.search(text) else text


def instant_text(instant: datetime) -> str:
    """Write a UTC time as RFC 3339."""
    return instant.isoformat().replace("+00:00", "Z")


def record_time_text(record: KafkaRecord) -> str:
    """Write the record's timestamp as RFC 3339, held within the years that RFC 3339 can write."""
    milliseconds = min(max(record.timestamp_ms, 0), _LAST_MILLISECOND)
    return instant_text(datetime.fromtimestamp(milliseconds / 1000, UTC))


@lru_cache(maxsize=1024)  # the same few names in every record of a topic
def _attribute_of(header: str) -> str | None:
    """Return the attribute that a header carries; None when it carries none."""
    if header.lower() == "content-type":
        return "datacontenttype"
    if not header.startswith("ce_"):
        return None
    name = header[3:]
    # `data` would take the place of the event's data: under its own header's name it is refused as an extension.
    return header if name in {"data", "data_base64"} else name


def _extension_bytes(value: str | int | bool) -> bytes:  # noqa: FBT001 - a CloudEvents attribute may be a boolean
    if isinstance(value, bool):
        return b"true" if value else b"false"
    return str(value).encode()
