"""A Kafka record as OpenFaaS' own connector posts it: the value is the body, everything else stands in headers.

X-Topic                                      the topic; its presence tells the form
X-Kafka-Partition, X-Kafka-Offset            the record's place
X-Kafka-Key, X-Kafka-Key-Enc: b64            its key
X-Kafka-<name>                               its header <name>

A function of ours makes of it the event that a KafkaSource would send; a trigger of ours writes it for handlers that
were made for that connector.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Final

from signal_pipeline.errors import InvalidEvent
from signal_pipeline.events.envelope import CloudEvent, event_from_attributes, event_from_json
from signal_pipeline.events.json_guard import load_json
from signal_pipeline.events.kafka import KafkaRecord, binary_attributes, is_structured_content, plain_attributes
from signal_pipeline.events.kafka_wire import HttpMessage

__all__ = ["TOPIC_HEADER", "connector_message", "event_from_connector"]

TOPIC_HEADER: Final = "x-topic"
_PREFIX: Final = "x-kafka-"
_SOURCE: Final = "/openfaas/kafka-connector"
_MOST_DIGITS: Final = 19  # of a 64-bit offset
_CONTENT_TYPE: Final = "text/plain"  # whatever the value is; what the record itself says stands in X-Kafka-Content-Type
# What HTTP carries unchanged: no control characters, no blanks at the ends.
_PLAIN_TEXT: Final = re.compile(rb"[!-~](?:[ -~]*[!-~])?")
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OWN_NAMES: Final = frozenset({"partition", "offset", "key", "key-enc"})


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


def connector_message(record: KafkaRecord) -> HttpMessage:
    """Write one record as OpenFaaS' own connector posts it.

    A key that is no plain text travels in base64. Left out are headers whose name or value HTTP cannot carry, and those
    that would pass for the record's place or key; of several with one name the last is sent.
    """
    headers = {
        f"X-Kafka-{name}": text
        for name, value in record.headers
        if name.lower() not in _OWN_NAMES
        and _HEADER_NAME.fullmatch(name)
        and (text := _header_text(value or b"")) is not None
    }
    headers |= {
        "X-Topic": record.topic,
        "X-Kafka-Partition": str(record.partition),
        "X-Kafka-Offset": str(record.offset),
        **_key_headers(record.key),
        "Content-Type": _CONTENT_TYPE,
    }
    return HttpMessage(headers=headers, body=record.value or b"")


def _key_headers(key: bytes | None) -> dict[str, str]:
    if key is None:
        return {}
    if _PLAIN_TEXT.fullmatch(key):
        return {"X-Kafka-Key": key.decode("ascii")}
    return {"X-Kafka-Key": base64.b64encode(key).decode("ascii"), "X-Kafka-Key-Enc": "b64"}


def _header_text(value: bytes) -> str | None:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return None
    return text if text == text.strip() and text.isprintable() else None
