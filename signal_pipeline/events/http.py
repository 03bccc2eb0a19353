"""CloudEvents on HTTP: which mode a request is in, and the events that it carries.

application/cloudevents+json         structured: one event
application/cloudevents-batch+json   batch: a list; each element is judged by itself
any other content with ce- headers   binary: attributes in headers, the body is the data
X-Topic and X-Kafka- headers         a Kafka record, as OpenFaaS' own connector posts it
anything else                        415
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from signal_pipeline.errors import InvalidEvent, PayloadTooLarge, UnsupportedContent
from signal_pipeline.events.envelope import (
    MAX_EVENT_BYTES,
    CloudEvent,
    RefusedEvent,
    event_from_attributes,
    event_from_json,
    is_json_content_type,
)
from signal_pipeline.events.json_guard import load_json
from signal_pipeline.events.openfaas import TOPIC_HEADER, event_from_connector

__all__ = [
    "BATCH_CONTENT_TYPE",
    "MAX_BATCH_EVENTS",
    "STRUCTURED_CONTENT_TYPE",
    "Mode",
    "Request",
    "decode_request",
    "mode_of",
    "refuse_encoding",
]

STRUCTURED_CONTENT_TYPE: Final = "application/cloudevents+json"
BATCH_CONTENT_TYPE: Final = "application/cloudevents-batch+json"
MAX_BATCH_EVENTS: Final = 10_000
# A structured event may need this much beyond its data: attributes, escapes and white space.
_ENVELOPE_ROOM: Final = 128 * 1024
_PREFIX: Final = "ce-"


class Mode(StrEnum):
    """How a request carries its events."""

    BINARY = "binary"
    STRUCTURED = "structured"
    BATCH = "batch"
    RECORD = "record"


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """The events of one request.

    Attributes:
        mode: How they came.
        events: In the order of the request; in a batch, invalid ones stand as `RefusedEvent` in their place.
    """

    mode: Mode
    events: Sequence[CloudEvent | RefusedEvent]


def mode_of(headers: Sequence[tuple[str, str]]) -> Mode | None:
    """Return the mode of a request by its headers (names in lower case); None when it carries no CloudEvent."""
    media_type = _media_type(headers)
    if media_type == STRUCTURED_CONTENT_TYPE:
        return Mode.STRUCTURED
    if media_type == BATCH_CONTENT_TYPE:
        return Mode.BATCH
    if any(name.startswith(_PREFIX) for name, _ in headers):
        return Mode.BINARY
    return Mode.RECORD if any(name == TOPIC_HEADER for name, _ in headers) else None


def decode_request(
    headers: Sequence[tuple[str, str]], body: bytes, *, max_event_bytes: int | None = MAX_EVENT_BYTES
) -> Request:
    """Decode the events of an HTTP request.

    Args:
        headers: Names in lower case, values as ISO 8859-1 text, in order.
        body: The whole body.
        max_event_bytes: Largest data of one event; None drops the data unseen, whatever it is.

    Returns:
        The events; one that is not valid stands as `RefusedEvent`, in every mode.

    Raises:
        UnsupportedContent: the request carries no CloudEvent in a known form.
        InvalidEvent: a batch that is no JSON array of bounded length; nothing of it is used.
    """
    mode = mode_of(headers)
    if mode is None:
        raise UnsupportedContent(
            f"send a CloudEvent: ce- headers, {STRUCTURED_CONTENT_TYPE} or {BATCH_CONTENT_TYPE}",
        )
    refuse_encoding(headers)
    if mode is Mode.BATCH:
        return Request(mode=mode, events=_batch(body, max_event_bytes))
    return Request(mode=mode, events=[_single(mode, headers, body, max_event_bytes)])


def _single(
    mode: Mode, headers: Sequence[tuple[str, str]], body: bytes, max_bytes: int | None
) -> CloudEvent | RefusedEvent:
    try:
        if max_bytes is not None and len(body) > max_bytes + _ENVELOPE_ROOM:
            raise PayloadTooLarge(f"an event is over {max_bytes} bytes")
        if mode is Mode.RECORD:
            return event_from_connector(headers, body, max_bytes=max_bytes)
        return _structured(body, max_bytes) if mode is Mode.STRUCTURED else _binary(headers, body, max_bytes)
    except InvalidEvent as exc:
        return RefusedEvent(failure=exc.failure)


def _media_type(headers: Sequence[tuple[str, str]]) -> str:
    return next((value for name, value in headers if name == "content-type"), "").partition(";")[0].strip().lower()


def refuse_encoding(headers: Sequence[tuple[str, str]]) -> None:
    """Raise `UnsupportedContent` for a compressed body, and for JSON in another charset than UTF-8."""
    for name, value in headers:
        if name == "content-encoding" and value.strip().lower() != "identity":
            raise UnsupportedContent("compressed bodies are not accepted")
        if name == "content-type" and is_json_content_type(value):
            charset = value.lower().partition("charset=")[2].partition(";")[0].strip(' "')
            if charset not in {"", "utf-8", "us-ascii"}:
                raise UnsupportedContent("the charset is UTF-8")


def _structured(body: bytes, max_bytes: int | None) -> CloudEvent:
    value, plain = load_json(body)
    return event_from_json(value, plain=plain, max_bytes=max_bytes)


def _batch(body: bytes, max_bytes: int | None) -> list[CloudEvent | RefusedEvent]:
    values, plain = load_json(body)
    if not isinstance(values, list):
        raise InvalidEvent("a batch is a JSON array of CloudEvents", code="not_a_batch")
    if len(values) > MAX_BATCH_EVENTS:
        raise PayloadTooLarge(f"a batch has at most {MAX_BATCH_EVENTS} events")
    return [_element(value, plain=plain, max_bytes=max_bytes) for value in values]


def _element(value: Any, *, plain: bool, max_bytes: int | None) -> CloudEvent | RefusedEvent:
    try:
        return event_from_json(value, plain=plain, max_bytes=max_bytes)
    except InvalidEvent as exc:
        named = value if isinstance(value, dict) else {}
        return RefusedEvent(id=_label(named.get("id")), source=_label(named.get("source")), failure=exc.failure)


def _label(value: Any) -> str | None:
    """Return text that names a refused event in the answer, shortened; it is the sender's own text."""
    if not isinstance(value, str):
        return None
    return value[:256].encode(errors="replace").decode()


def _binary(headers: Sequence[tuple[str, str]], body: bytes, max_bytes: int | None) -> CloudEvent:
    attributes: dict[str, Any] = {}
    for name, value in headers:
        if name != "content-type" and not name.startswith(_PREFIX):
            continue
        attribute = "datacontenttype" if name == "content-type" else name.removeprefix(_PREFIX)
        if attribute in attributes:
            raise InvalidEvent(f"{attribute[:64]}: the header stands twice", code="invalid_attribute")
        attributes[attribute] = value if name == "content-type" else _header_text(attribute, value)
    return event_from_attributes(attributes, body, max_bytes=max_bytes)


def _header_text(name: str, value: str) -> str:
    """Undo the HTTP binding's percent-encoding; senders that wrote raw UTF-8 are understood too."""
    raw = unquote_to_bytes(value.encode("latin-1")) if "%" in value else value.encode("latin-1")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise InvalidEvent(f"{name[:64]}: the header is not UTF-8", code="invalid_attribute") from exc
