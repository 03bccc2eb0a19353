"""The CloudEvents 1.0 envelope: one strict definition for HTTP and Kafka, whatever the mode.

An attribute is text without control characters and of bounded length; a time is RFC 3339 with a zone; an extension
has a lower-case alphanumeric name. An event carries JSON data, other bytes, or nothing.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, NotRequired, Required

from pydantic import ConfigDict, StringConstraints, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict  # pydantic reads NotRequired only from this one before Python 3.12

from signal_pipeline.domain.failures import Failure
from signal_pipeline.errors import InvalidEvent, PayloadTooLarge
from signal_pipeline.events.json_guard import MAX_DEPTH, check_value, dump_json, load_json

__all__ = [
    "JSON_CONTENT_TYPE",
    "MAX_ATTRIBUTE_BYTES",
    "MAX_EVENT_BYTES",
    "MAX_EXTENSIONS",
    "CloudEvent",
    "RefusedEvent",
    "event_from_attributes",
    "event_from_json",
    "is_json_content_type",
]

MAX_EVENT_BYTES: Final = 256 * 1024
MAX_ATTRIBUTE_BYTES: Final = 256  # keeps every index entry far below PostgreSQL's limit of about 2,700 bytes
MAX_EXTENSIONS: Final = 64
MAX_EXTENSION_BYTES: Final = 16 * 1024
JSON_CONTENT_TYPE: Final = "application/json"

# ASCII digits only: \d would match those of every script.
_RFC3339: Final = "^[0-9]{4}(-[0-9]{2}){2}[Tt ][0-9]{2}(:[0-9]{2}){2}([.][0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})$"
_Text = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_ATTRIBUTE_BYTES, pattern="^[^\x00-\x1f\x7f-\x9f]+$", strict=True),
]
_Time = Annotated[str, StringConstraints(pattern=_RFC3339, strict=True)]
_EXTENSION_NAME: Final = re.compile("[a-z0-9]{1,64}")
_CONTROL_CHARACTER: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
_INT32: Final = 2**31
_LONGEST_CHARACTER: Final = 4  # bytes in UTF-8
_INDEXED: Final = ("id", "source", "type", "subject")  # bounded in bytes, the others in characters
_DATA: Final = ("data", "data_base64")
_ATTRIBUTES: Final = frozenset(
    {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", *_DATA}
)


@with_config(ConfigDict(extra="allow", strict=True))
class _Envelope(TypedDict, total=False):
    specversion: Required[Literal["1.0"]]
    id: Required[_Text]
    source: Required[_Text]
    type: Required[_Text]
    subject: NotRequired[_Text | None]
    time: NotRequired[_Time | None]
    datacontenttype: NotRequired[_Text | None]
    dataschema: NotRequired[_Text | None]
    data: NotRequired[Any]
    data_base64: NotRequired[str | None]


_ENVELOPE: Final = TypeAdapter(_Envelope).validator


@dataclass(frozen=True, kw_only=True, slots=True)
class CloudEvent:
    """A valid CloudEvent.

    Attributes:
        id: Identifies the event within its source.
        source: Where it happened.
        type: What happened.
        subject: What it is about; for a signal, the user.
        time: When it happened, in UTC.
        datacontenttype: Media type of the data; None means JSON.
        dataschema: Schema of the data.
        extensions: Extension attributes by name.
        data: Parsed JSON data; None when there is none or it is not JSON.
        data_json: The same as compact JSON text; None when the data is not JSON or absent.
        data_bytes: Data of another content type.
    """

    id: str
    source: str
    type: str
    subject: str | None = None
    time: datetime | None = None
    datacontenttype: str | None = None
    dataschema: str | None = None
    extensions: Mapping[str, str | int | bool] = field(default_factory=dict)
    data: Any = None
    data_json: bytes | None = None
    data_bytes: bytes | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RefusedEvent:
    """One event of a request that is not valid; its neighbours may be.

    Attributes:
        id: The id as far as it could be read.
        source: The source as far as it could be read.
        failure: Why.
    """

    id: str | None = None
    source: str | None = None
    failure: Failure


def is_json_content_type(content_type: str | None) -> bool:
    """Tell whether data of this media type is JSON; no media type means JSON in the CloudEvents JSON format."""
    if content_type is None or content_type == JSON_CONTENT_TYPE:
        return True
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type in {JSON_CONTENT_TYPE, "text/json"} or media_type.endswith("+json")


def event_from_json(value: Any, *, plain: bool, max_bytes: int | None = MAX_EVENT_BYTES) -> CloudEvent:
    """Build an event from its parsed JSON format (structured mode, or one element of a batch).

    Args:
        value: What the JSON parser gave.
        plain: See `json_guard.load_json`.
        max_bytes: Largest data; None drops the data unseen, whatever it is.

    Raises:
        InvalidEvent: with the name of the attribute that is wrong.
    """
    if max_bytes is None and isinstance(value, dict):
        value = {name: content for name, content in value.items() if name not in _DATA}
    check_value(value, plain=plain, levels=MAX_DEPTH + 1)  # the envelope itself is one level above the data
    if not isinstance(value, dict):
        raise InvalidEvent("a CloudEvent is a JSON object", code="not_an_object")
    envelope = _validated(value)
    data, data_base64 = envelope.get("data"), envelope.get("data_base64")
    if data_base64 is not None:
        if data is not None:
            raise InvalidEvent("an event has data or data_base64, not both", code="invalid_data")
        return _with_bytes(envelope, _decoded_base64(data_base64), max_bytes)
    if "data" not in envelope:
        return _event(envelope)
    if is_json_content_type(envelope.get("datacontenttype")):
        return _event(envelope, data=data, data_json=_bounded(dump_json(data), max_bytes))
    # Text of another media type travels as a JSON string; anything else is JSON by nature.
    raw = data.encode() if isinstance(data, str) else dump_json(data)
    return _with_bytes(envelope, raw, max_bytes)


def event_from_attributes(
    attributes: Mapping[str, Any], body: bytes | None, *, max_bytes: int | None = MAX_EVENT_BYTES
) -> CloudEvent:
    """Build an event from attributes and data that travelled apart (binary mode, on HTTP or Kafka).

    Args:
        attributes: Attributes by name; `datacontenttype` as the transport's content type gave it.
        body: The data as it travelled; None or empty means no data, which is all that binary mode can say of it.
        max_bytes: Largest data; None drops the data unseen, whatever it is.

    Raises:
        InvalidEvent: with the name of the attribute that is wrong.
    """
    for name in _DATA:
        if name in attributes:
            raise InvalidEvent(f"{name} is not an attribute in binary mode", code="invalid_data")
    envelope = _validated(attributes)
    return _with_bytes(envelope, b"" if max_bytes is None else body or b"", max_bytes)


def _validated(value: Mapping[str, Any]) -> _Envelope:
    try:
        envelope: _Envelope = _ENVELOPE.validate_python(value)
    except ValidationError as exc:
        raise _invalid_attribute(exc) from None
    return envelope


def _invalid_attribute(exc: ValidationError) -> InvalidEvent:
    # The message names the attribute and the rule, never the value: it may be long, or a secret.
    error = exc.errors(include_url=False, include_input=False, include_context=False)[0]
    name = error["loc"][0] if error["loc"] else "event"
    rule = "has a character that is not allowed" if error["type"] == "string_pattern_mismatch" else error["msg"]
    return InvalidEvent(f"{name}: {rule}", code="invalid_attribute")


def _with_bytes(envelope: _Envelope, raw: bytes, max_bytes: int | None) -> CloudEvent:
    if not raw:
        return _event(envelope)
    if not is_json_content_type(envelope.get("datacontenttype")):
        return _event(envelope, data_bytes=_bounded(raw, max_bytes))
    value, plain = load_json(_bounded(raw, max_bytes))
    check_value(value, plain=plain)
    # Bounded again: 1e5 is written as 100000.0, and every later reader holds the longer text to the same limit.
    return _event(envelope, data=value, data_json=_bounded(dump_json(value), max_bytes))


def _bounded(raw: bytes, max_bytes: int | None) -> bytes:
    if max_bytes is not None and len(raw) > max_bytes:
        raise PayloadTooLarge(f"the data of an event is over {max_bytes} bytes")
    return raw


def _decoded_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise InvalidEvent("data_base64 is not base64", code="invalid_data") from exc


def _event(
    envelope: _Envelope, *, data: Any = None, data_json: bytes | None = None, data_bytes: bytes | None = None
) -> CloudEvent:
    for name in _INDEXED:
        text: Any = envelope.get(name)
        if text is not None and not text.isascii() and len(text.encode()) > MAX_ATTRIBUTE_BYTES:
            raise InvalidEvent(f"{name}: longer than {MAX_ATTRIBUTE_BYTES} bytes", code="invalid_attribute")
    return CloudEvent(
        id=envelope["id"],
        source=envelope["source"],
        type=envelope["type"],
        subject=envelope.get("subject"),
        time=_instant(envelope.get("time")),
        datacontenttype=envelope.get("datacontenttype"),
        dataschema=envelope.get("dataschema"),
        extensions=_extensions(envelope),
        data=data,
        data_json=data_json,
        data_bytes=data_bytes,
    )


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise InvalidEvent("time: no such time", code="invalid_attribute") from exc


def _extensions(envelope: _Envelope) -> dict[str, str | int | bool]:
    extra: dict[str, Any] = {name: value for name, value in envelope.items() if name not in _ATTRIBUTES}
    if len(extra) > MAX_EXTENSIONS:
        raise InvalidEvent(f"more than {MAX_EXTENSIONS} extension attributes", code="invalid_attribute")
    for name, value in extra.items():
        # A name that is not allowed is not repeated: it is the sender's text, of any length.
        if not _EXTENSION_NAME.fullmatch(name):
            raise InvalidEvent("an extension's name is 1 to 64 lower-case letters and digits", code="invalid_attribute")
        fault = _extension_fault(value)
        if fault:
            raise InvalidEvent(f"{name}: {fault}", code="invalid_attribute")
    return {name: value for name, value in extra.items() if value is not None}


def _extension_fault(value: Any) -> str | None:
    if isinstance(value, str):
        if len(value) * _LONGEST_CHARACTER > MAX_EXTENSION_BYTES and len(value.encode()) > MAX_EXTENSION_BYTES:
            return f"longer than {MAX_EXTENSION_BYTES} bytes"
        return "has a character that is not allowed" if _CONTROL_CHARACTER.search(value) else None
    if isinstance(value, int):
        return None if -_INT32 <= value < _INT32 else "an integer attribute has 32 bits"
    return None if value is None else "is text, a boolean or an integer"
