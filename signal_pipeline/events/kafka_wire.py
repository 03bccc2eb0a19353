"""How a trigger sends Kafka records to a function over HTTP: one as a binary request, many as one JSON batch. Pure.

A value that orjson writes back byte for byte is embedded as it is; any other travels as `data_base64`. So a record
with broken or unusual JSON costs its neighbours in the batch nothing: the function judges it alone.
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import orjson

from signal_pipeline.errors import InvalidEvent
from signal_pipeline.events.envelope import JSON_CONTENT_TYPE, CloudEvent, is_json_content_type
from signal_pipeline.events.kafka import (
    KafkaRecord,
    binary_attributes,
    decode_record,
    encode_record,
    is_structured_content,
    plain_attributes,
    record_time_text,
)

__all__ = ["BATCH_CONTENT_TYPE", "RAW_RECORD_TYPE", "HttpMessage", "batch_message", "single_message"]

BATCH_CONTENT_TYPE: Final = "application/cloudevents-batch+json"
RAW_RECORD_TYPE: Final = "dev.signal-pipeline.kafka.record"
# Printable ASCII without space, double quote and percent: what the HTTP binding leaves as it is.
_UNQUOTED: Final = "!#$&'()*+,/:;<=>?@[\\]^`{|}~"
_NOT_IN_HEADER_NAME: Final = re.compile("[^a-zA-Z0-9]")


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpMessage:
    """What is posted to a function.

    Attributes:
        headers: HTTP headers.
        body: HTTP body.
    """

    headers: dict[str, str]
    body: bytes


def single_message(record: KafkaRecord, *, source: str, wrap_record: bool) -> HttpMessage:
    """Write one record as a binary-mode request, as a Knative KafkaSource sends it.

    Args:
        record: The record.
        source: Address of the source, for records that are no CloudEvents.
        wrap_record: Send the record itself, key, value and headers in base64, instead of the event it carries.
    """
    if wrap_record:
        attributes, body = _raw_attributes(record, source=source), orjson.dumps(_raw_record(record))
    else:
        attributes, body = _attributes_and_data(record, source=source)
    attributes["knativekafkapartition"] = str(record.partition)
    attributes["knativekafkaoffset"] = str(record.offset)
    content_type = attributes.pop("datacontenttype", None)
    # An invalid name keeps a character that no attribute name may have, so that the function refuses the event.
    headers = {
        f"ce-{_NOT_IN_HEADER_NAME.sub('_', name)}": quote(value, safe=_UNQUOTED) for name, value in attributes.items()
    }
    if content_type is not None:
        headers["content-type"] = quote(content_type, safe=_UNQUOTED + ' "')
    return HttpMessage(headers=headers, body=body)


def batch_message(records: Sequence[KafkaRecord], *, source: str, wrap_record: bool) -> HttpMessage:
    """Write records as one CloudEvents batch, in their order; the arguments are those of `single_message`."""
    if wrap_record:
        elements = [{**_raw_attributes(item, source=source), "data": _raw_record(item)} for item in records]
    else:
        elements = [_element(item, source=source) for item in records]
    return HttpMessage(headers={"content-type": BATCH_CONTENT_TYPE}, body=orjson.dumps(elements))


def _element(record: KafkaRecord, *, source: str) -> Any:
    attributes: dict[str, Any] = binary_attributes(record.headers)
    if is_structured_content(attributes):
        return _structured_element(record, source=source)
    if "specversion" not in attributes:
        attributes = dict(plain_attributes(record, source=source))
    return _with_data(attributes, record.value)


def _with_data(attributes: dict[str, Any], value: bytes | None) -> dict[str, Any]:
    if not value:
        return attributes
    if is_json_content_type(attributes.get("datacontenttype")) and _is_canonical(value):
        attributes["data"] = orjson.Fragment(value)
    else:
        attributes["data_base64"] = base64.b64encode(value).decode()
    return attributes


def _is_canonical(value: bytes) -> bool:
    try:
        return b"\\u0000" not in value and orjson.dumps(orjson.loads(value)) == value
    except (orjson.JSONDecodeError, TypeError):
        return False


def _structured_element(record: KafkaRecord, *, source: str) -> Any:
    value = record.value or b""
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        # Not an event in any form; as the data of a plain record it is refused by itself.
        return _with_data(dict(plain_attributes(record, source=source)), value)
    return orjson.Fragment(value)


def _attributes_and_data(record: KafkaRecord, *, source: str) -> tuple[dict[str, str], bytes]:
    attributes = binary_attributes(record.headers)
    if is_structured_content(attributes):
        try:
            event = decode_record(record, source=source)
        except InvalidEvent:
            return plain_attributes(record, source=source), record.value or b""
        return _binary_form(event)
    if "specversion" not in attributes:
        attributes = plain_attributes(record, source=source)
    return attributes, record.value or b""


def _binary_form(event: CloudEvent) -> tuple[dict[str, str], bytes]:
    record = encode_record(event, topic="")
    return binary_attributes(record.headers), record.value or b""


def _raw_attributes(record: KafkaRecord, *, source: str) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"partition:{record.partition}/offset:{record.offset}",
        "source": f"{source}#{record.topic}",
        "type": RAW_RECORD_TYPE,
        "subject": f"partition:{record.partition}#{record.offset}",
        "time": record_time_text(record),
        "datacontenttype": JSON_CONTENT_TYPE,
    }


def _raw_record(record: KafkaRecord) -> dict[str, Any]:
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp_ms": record.timestamp_ms,
        "key_base64": _base64(record.key),
        "value_base64": _base64(record.value),
        "headers": [[name, _base64(value)] for name, value in record.headers],
    }


def _base64(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()
