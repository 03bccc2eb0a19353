"""A signal: what the pipeline stores of a CloudEvent. The mapping is total and loses nothing.

source + id    identity: the id when it is a UUID, else a UUID derived from (source, id)
subject        the user, unless the extension `userid` names one
time           when it happened; the time of acceptance when the event has none
data           the payload; other bytes than JSON as {"content_type", "data_base64"}
the rest       extensions

A plain Kafka record, once wrapped by a KafkaSource, is a signal when its JSON names an id, a source and a type.
"""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol
from uuid import UUID, uuid5

from signal_pipeline.domain.failures import Failure, FailureClass

__all__ = ["IDENTITY_NAMESPACE", "MAX_TEXT_BYTES", "PLAIN_RECORD_TYPE", "Event", "Signal", "signal_id", "signal_of"]

# Fixed for ever: every stored identity that is not a UUID of its own is derived from it.
IDENTITY_NAMESPACE: Final = UUID("6f1c1a52-0f0e-5a55-9d7c-6b7d5f3e2a10")
MAX_TEXT_BYTES: Final = 256  # as the CHECK constraints of table signals
PLAIN_RECORD_TYPE: Final = "dev.knative.kafka.event"

# One encoder for all: json.dumps would make a new one for each call with these arguments.
_json_text: Final = json.JSONEncoder(ensure_ascii=False).encode
_BOUNDED: Final = ("user_id", "source", "type", "session_id")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TIME: Final = re.compile(
    "[0-9]{4}(-[0-9]{2}){2}[Tt ][0-9]{2}(:[0-9]{2}){2}([.][0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
# Added by the transport on the way; they differ between deliveries of the same event, so they are not part of it.
_TRANSPORT: Final = re.compile("knativekafka(partition|offset)|knativearrivaltime|knativeerror.*|dlq.*")


# Members of a plain record that have a column; all others are kept as extensions.
_PLAIN_MEMBERS: Final = frozenset({"id", "event_id", "user_id", "source", "type", "event_ts", "timestamp", "payload"})


class Event(Protocol):
    """The parts of a CloudEvent that a signal is made of."""

    @property
    def id(self) -> str: ...  # noqa: D102 - the attributes are those of CloudEvents 1.0
    @property
    def source(self) -> str: ...  # noqa: D102
    @property
    def type(self) -> str: ...  # noqa: D102
    @property
    def subject(self) -> str | None: ...  # noqa: D102
    @property
    def time(self) -> datetime | None: ...  # noqa: D102
    @property
    def datacontenttype(self) -> str | None: ...  # noqa: D102
    @property
    def dataschema(self) -> str | None: ...  # noqa: D102
    @property
    def extensions(self) -> Mapping[str, str | int | bool]: ...  # noqa: D102
    @property
    def data(self) -> Any: ...  # noqa: D102
    @property
    def data_json(self) -> bytes | None: ...  # noqa: D102
    @property
    def data_bytes(self) -> bytes | None: ...  # noqa: D102


@dataclass(frozen=True, kw_only=True, slots=True)
class Signal:
    """One signal, ready to be stored.

    Attributes:
        id: Primary key; see `signal_id`.
        user_id: Whose signal it is; None when the event names nobody.
        source: Where it happened, such as `web`.
        type: What happened, such as `login`.
        event_ts: When it happened.
        payload: Parsed payload, for the rules.
        payload_json: The payload as JSON text; None when the event had no data.
        extensions_json: Everything else of the event as JSON text; None when there is nothing else.
    """

    id: UUID
    user_id: str | None
    source: str
    type: str
    event_ts: datetime
    payload: Any
    payload_json: str | None
    extensions_json: str | None


def signal_id(source: str, event_id: str) -> UUID:
    """Return the identity of an event: a UUID is its own, anything else counts within its source.

    >>> signal_id("web", "7D444840-9DC0-11D1-B245-5FFDCE74FAD2")
    UUID('7d444840-9dc0-11d1-b245-5ffdce74fad2')
    >>> signal_id("a", "bc") == signal_id("ab", "c")
    False
    """
    if _UUID.fullmatch(event_id):
        return UUID(event_id)
    # A JSON list keeps the two apart, which a bare concatenation would not.
    return uuid5(IDENTITY_NAMESPACE, json.dumps([source, event_id], ensure_ascii=False, separators=(",", ":")))


def signal_of(event: Event, *, accepted_at: datetime) -> Signal | Failure:
    """Return the signal that an event is, or why it is none.

    Args:
        event: A valid CloudEvent.
        accepted_at: Stands in for an absent time.
    """
    if event.type == PLAIN_RECORD_TYPE:
        return _from_plain_record(event, accepted_at)
    userid = event.extensions.get("userid")
    user = userid if isinstance(userid, str) and userid else event.subject
    payload, payload_json = _payload(event)
    return _checked(
        Signal(
            id=signal_id(event.source, event.id),
            user_id=user,
            source=event.source,
            type=event.type,
            event_ts=event.time or accepted_at,
            payload=payload,
            payload_json=payload_json,
            extensions_json=_extensions(event, user),
        )
    )


def _payload(event: Event) -> tuple[Any, str | None]:
    if event.data_bytes is not None:
        text = base64.b64encode(event.data_bytes).decode()
        wrapped = {"content_type": event.datacontenttype, "data_base64": text}
        return wrapped, _json_text(wrapped)
    return event.data, None if event.data_json is None else event.data_json.decode()


def _extensions(event: Event, user: str | None) -> str | None:
    rest: dict[str, Any] = {name: value for name, value in event.extensions.items() if not _TRANSPORT.fullmatch(name)}
    if rest.get("userid") == user:
        rest.pop("userid", None)
    if event.subject is not None and event.subject != user:
        rest["subject"] = event.subject
    if not _UUID.fullmatch(event.id):
        rest["id"] = event.id
    if event.dataschema is not None:
        rest["dataschema"] = event.dataschema
    if event.data_bytes is None and event.datacontenttype not in {None, "application/json"}:
        rest["datacontenttype"] = event.datacontenttype
    return _json_text(rest) if rest else None


def _from_plain_record(event: Event, accepted_at: datetime) -> Signal | Failure:
    """Map the older JSON shape: `{"event_id" or "id", "user_id", "source", "type", "event_ts", "payload"}`."""
    record = event.data
    if not isinstance(record, dict):
        return _invalid("not_a_signal", "a plain record is a JSON object with id, source and type")
    if "specversion" in record:
        # Read as the older shape it would lose its data without a word.
        return _invalid("unmarked_cloud_event", "a structured CloudEvent needs its content-type header")
    names = _names(record)
    user = record.get("user_id")
    if names is None or not (user is None or isinstance(user, str)):
        return _invalid(
            "not_a_signal", "a plain record needs text as id, source and type, and as user_id if it has one"
        )
    event_id, source, kind = names
    event_ts = _time_of(record.get("event_ts", record.get("timestamp")), event.time or accepted_at)
    if event_ts is None:
        return _invalid("invalid_time", "event_ts is RFC 3339 with a zone")
    payload = record.get("payload")
    return _checked(
        Signal(
            id=signal_id(source, event_id),
            user_id=user,
            source=source,
            type=kind,
            event_ts=event_ts,
            payload=payload,
            payload_json=_json_text(payload) if "payload" in record else None,
            extensions_json=_plain_rest(record, event_id),
        )
    )


def _plain_rest(record: Mapping[str, Any], event_id: str) -> str | None:
    """Return the members that have no column, and the id when it is no UUID."""
    rest = {name: value for name, value in record.items() if name not in _PLAIN_MEMBERS}
    if not _UUID.fullmatch(event_id):
        rest["id"] = event_id
    return _json_text(rest) if rest else None


def _names(record: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Return id, source and type of a record; None unless each is text that is not empty."""
    event_id = record.get("event_id") or record.get("id")
    source, kind = record.get("source"), record.get("type")
    if not (isinstance(event_id, str) and isinstance(source, str) and isinstance(kind, str)):
        return None
    return (event_id, source, kind) if event_id and source and kind else None


def _time_of(value: Any, default: datetime) -> datetime | None:
    if value is None:
        return default
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _checked(signal: Signal) -> Signal | Failure:
    """Refuse what a CHECK constraint of table signals would refuse, before it reaches a batch."""
    session = _session_text(signal.payload)
    for name, text in zip(_BOUNDED, (signal.user_id, signal.source, signal.type, session), strict=True):
        # A character has at most four bytes: most texts need no encoding to be known as short.
        if text is not None and len(text) * 4 > MAX_TEXT_BYTES and len(text.encode()) > MAX_TEXT_BYTES:
            return _invalid("text_too_long", f"{name} is longer than {MAX_TEXT_BYTES} bytes")
    return signal


def _session_text(payload: Any) -> str | None:
    """Return what PostgreSQL makes of `payload ->> 'session_id'`: the text of a value of any type."""
    session = payload.get("session_id") if isinstance(payload, dict) else None
    return session if session is None or isinstance(session, str) else _json_text(session)


def _invalid(code: str, detail: str) -> Failure:
    return Failure(failure_class=FailureClass.INVALID, code=code, detail=detail, status=422)
