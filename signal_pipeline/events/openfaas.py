"""A Kafka record as OpenFaaS' own connector posts it: the value is the body, everything else stands in headers.

X-Topic                                      the topic; its presence tells the form
X-Kafka-Partition, X-Kafka-Offset            the record's place
X-Kafka-Key, X-Kafka-Key-Enc: b64            its key
X-Kafka-<name>                               its header <name>

The record becomes the event that a KafkaSource would send for it.
"""

import base64
import binascii
from collections.abc import Sequence
from typing import Final

from signal_pipeline.errors import InvalidEvent
from signal_pipeline.events.envelope import CloudEvent, event_from_attributes, event_from_json
from signal_pipeline.events.json_guard import load_json
from signal_pipeline.events.kafka import KafkaRecord, binary_attributes, is_structured_content, plain_attributes

__all__ = ["TOPIC_HEADER", "event_from_connector"]

TOPIC_HEADER: Final = "x-topic"
_PREFIX: Final = "x-kafka-"
_SOURCE: Final = "/openfaas/kafka-connector"
_MOST_DIGITS: Final = 19  # of a 64-bit offset


def event_from_connector(headers: Sequence[tuple[str, str]], body: bytes, *, max_bytes: int | None) -> CloudEvent:
    """Rebuild the event of a record.

    Args:
        headers: Names in lower case, values as ISO 8859-1 text.
        body: The record's value.
        max_bytes: Largest data; None drops the data unseen.

    Raises:
        InvalidEvent: the record's place or key cannot be read, or the record carries an invalid event.
    """
    record = _record(headers, body)
    attributes = binary_attributes(record.headers)
    if is_structured_content(attributes):
        value, plain = load_json(body)
        return event_from_json(value, plain=plain, max_bytes=max_bytes)
    if "specversion" not in attributes:
        attributes = plain_attributes(record, source=_SOURCE)
        del attributes["time"]  # the connector does not tell the record's
    return event_from_attributes(attributes, body, max_bytes=max_bytes)


def _record(headers: Sequence[tuple[str, str]], body: bytes) -> KafkaRecord:
    given = {name.removeprefix(_PREFIX): value for name, value in headers if name.startswith(_PREFIX)}
    key, encoding = given.pop("key", None), given.pop("key-enc", None)
    return KafkaRecord(
        topic=dict(headers)[TOPIC_HEADER],
        partition=_number("partition", given.pop("partition", "")),
        offset=_number("offset", given.pop("offset", "")),
        timestamp_ms=0,
        key=None if key is None else _key(key, encoding),
        value=body,
        headers=tuple((name, value.encode("latin-1")) for name, value in given.items()),
    )


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise InvalidEvent(f"X-Kafka-{name.title()} is a whole number", code="invalid_record")
    return int(text)


def _key(text: str, encoding: str | None) -> bytes:
    if encoding != "b64":
        return text.encode("latin-1")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise InvalidEvent("X-Kafka-Key is not base64", code="invalid_record") from exc
