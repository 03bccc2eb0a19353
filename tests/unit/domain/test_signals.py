"""What a signal is: the mapping from CloudEvents is total and loses nothing."""

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signal_pipeline.domain.failures import Failure, FailureClass
from signal_pipeline.domain.signals import IDENTITY_NAMESPACE, PLAIN_RECORD_TYPE, Signal, signal_id, signal_of

ACCEPTED_AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
EVENT_TIME = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
A_UUID = "7d444840-9dc0-11d1-b245-5ffdce74fad2"


@dataclass(frozen=True, kw_only=True)
class Event:
    """A CloudEvent as the domain sees one."""

    id: str = A_UUID
    source: str = "web"
    type: str = "login"
    subject: str | None = None
    time: datetime | None = EVENT_TIME
    datacontenttype: str | None = None
    dataschema: str | None = None
    extensions: dict[str, str | int | bool] = field(default_factory=dict)
    data: Any = None
    data_json: bytes | None = None
    data_bytes: bytes | None = None


def json_event(data: Any, **attributes: Any) -> Event:
    """Return an event with JSON data."""
    return Event(data=data, data_json=json.dumps(data).encode(), **attributes)


def signal(event: Event) -> Signal:
    """Return the signal that an event is."""
    found = signal_of(event, accepted_at=ACCEPTED_AT)
    assert isinstance(found, Signal), found
    return found


def refusal(event: Event) -> Failure:
    """Return why an event is no signal."""
    found = signal_of(event, accepted_at=ACCEPTED_AT)
    assert isinstance(found, Failure), found
    return found


def extensions(event: Event) -> Any:
    """Return the stored extensions as a value."""
    text = signal(event).extensions_json
    return None if text is None else json.loads(text)


def plain(data: Any, **attributes: Any) -> Event:
    """Return a plain Kafka record as a KafkaSource wraps it."""
    return json_event(data, id="partition:0/offset:7", source="/topics#t", type=PLAIN_RECORD_TYPE, **attributes)


def test_an_event_becomes_a_row() -> None:
    """Each attribute has its column."""
    payload = {"session_id": "sess_12345", "data": "sample_data_42"}
    assert signal(json_event(payload, subject="user_1", datacontenttype="application/json")) == Signal(
        id=UUID(A_UUID),
        user_id="user_1",
        source="web",
        type="login",
        event_ts=EVENT_TIME,
        payload=payload,
        payload_json=json.dumps(payload),
        extensions_json=None,
    )


def test_the_time_of_acceptance_stands_in() -> None:
    """Without a time the signal happened when it was accepted."""
    assert signal(Event(time=None)).event_ts == ACCEPTED_AT


@pytest.mark.parametrize(
    ("subject", "attributes", "user", "rest"),
    [
        (None, {}, None, None),
        ("s", {}, "s", None),
        (None, {"userid": "u"}, "u", None),
        ("s", {"userid": "u"}, "u", {"subject": "s"}),
        ("u", {"userid": "u"}, "u", None),
        ("s", {"userid": ""}, "s", {"userid": ""}),
        ("s", {"userid": 5}, "s", {"userid": 5}),
        (None, {"userid": True}, None, {"userid": True}),
    ],
)
def test_whose_signal(subject: str | None, attributes: Any, user: str | None, rest: Any) -> None:
    """The extension userid names the user, else the subject does; the one that did not is kept."""
    event = Event(subject=subject, extensions=attributes)
    assert (signal(event).user_id, extensions(event)) == (user, rest)


@pytest.mark.parametrize(
    ("event", "rest"),
    [
        (Event(), None),
        (Event(id="order-1"), {"id": "order-1"}),
        (Event(id=A_UUID.upper()), None),
        (Event(dataschema="https://example.org/s"), {"dataschema": "https://example.org/s"}),
        (Event(datacontenttype="application/json"), None),
        (Event(datacontenttype="text/plain"), {"datacontenttype": "text/plain"}),
        (json_event(1, datacontenttype="application/x+json"), {"datacontenttype": "application/x+json"}),
        (Event(datacontenttype="text/plain", data_bytes=b"x"), None),
        (Event(extensions={"a": "é", "b": 1, "c": False}), {"a": "é", "b": 1, "c": False}),
        (Event(extensions={"knativekafkaoffset": "7", "knativekafkapartition": "1", "dlqid": "x"}), None),
        (Event(extensions={"knativearrivaltime": "x", "knativeerrordest": "x", "knativeerrorcode": 500}), None),
        (Event(extensions={"correlationid": "c", "traceparent": "t"}), {"correlationid": "c", "traceparent": "t"}),
    ],
)
def test_the_rest_is_kept(event: Event, rest: Any) -> None:
    """What no column holds is in the extensions, except what the transport added on this delivery."""
    assert extensions(event) == rest


def test_no_data_is_not_null_data() -> None:
    """An event without data has no payload; one whose data is null has the payload null."""
    assert signal(Event()).payload_json is None
    assert signal(json_event(None)).payload_json == "null"


def test_other_bytes_are_wrapped() -> None:
    """Data that is not JSON is kept byte for byte, with its media type."""
    found = signal(Event(datacontenttype="image/png", data_bytes=b"\x00\xff"))
    assert found.payload == {"content_type": "image/png", "data_base64": base64.b64encode(b"\x00\xff").decode()}
    assert json.loads(found.payload_json or "") == found.payload


def test_the_payload_is_the_text_that_came() -> None:
    """The text is passed on as it is, so that no number is rounded on the way."""
    text = b'{"n":123456789012345678901234567890}'
    assert signal(Event(data=json.loads(text), data_json=text)).payload_json == text.decode()


def test_a_uuid_is_its_own_identity() -> None:
    """A UUID identifies the event in whatever case and from whatever source."""
    assert signal_id("web", A_UUID) == signal_id("api", A_UUID.upper()) == UUID(A_UUID)


@pytest.mark.parametrize(
    "event_id", ["1", f"{{{A_UUID}}}", A_UUID.replace("-", ""), f"urn:uuid:{A_UUID}", f"{A_UUID}\n"]
)
def test_any_other_id_counts_within_its_source(event_id: str) -> None:
    """Only the canonical form of a UUID is one; every other id is told apart by its source."""
    expected = uuid5(IDENTITY_NAMESPACE, json.dumps(["web", event_id], separators=(",", ":")))
    assert signal_id("web", event_id) == expected
    assert signal_id("api", event_id) != expected


def test_identities_never_change() -> None:
    """The derived identity is part of the stored data's format; this one was computed once and written down."""
    assert signal_id("web", "order-1") == uuid5(UUID("6f1c1a52-0f0e-5a55-9d7c-6b7d5f3e2a10"), '["web","order-1"]')
    assert signal_id("wéb", "1") == uuid5(IDENTITY_NAMESPACE, '["wéb","1"]')


@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()))
def test_identities_differ_as_their_names_do(first: tuple[str, str], second: tuple[str, str]) -> None:
    """No two pairs of source and id share an identity, however their texts run together."""
    assert (signal_id(*first) == signal_id(*second)) == (first == second)


@pytest.mark.parametrize("name", ["subject", "source", "type"])
@pytest.mark.parametrize(
    ("text", "fits"), [("x" * 256, True), ("x" * 257, False), ("é" * 128, True), ("é" * 129, False)]
)
def test_texts_are_bounded_as_their_columns(name: str, text: str, fits: bool) -> None:  # noqa: FBT001
    """256 bytes are stored, one more is refused before it reaches the database."""
    event = Event(**{name: text})
    if fits:
        signal(event)
    else:
        assert (refusal(event).code, refusal(event).http_status) == ("text_too_long", 422)


@pytest.mark.parametrize(
    ("session", "fits"),
    [
        ("x" * 256, True),
        ("x" * 257, False),
        (["x" * 252], True),
        (["x" * 253], False),
        (int("1" * 257), False),
        (1, True),
    ],
)
def test_the_session_is_bounded_as_its_index(session: Any, fits: bool) -> None:  # noqa: FBT001
    """The text of a session id of any type has at most 256 bytes, brackets and quotes included."""
    found = signal_of(json_event({"session_id": session}), accepted_at=ACCEPTED_AT)
    assert isinstance(found, Signal) is fits


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"event_id": A_UUID, "source": "web", "type": "login"}, (UUID(A_UUID), None, "web", "login", ACCEPTED_AT)),
        ({"id": "1", "source": "web", "type": "x"}, (signal_id("web", "1"), None, "web", "x", ACCEPTED_AT)),
        (
            {
                "id": "2",
                "event_id": "1",
                "source": "a",
                "type": "b",
                "user_id": "u",
                "event_ts": "2026-01-02T03:04:05Z",
            },
            (signal_id("a", "1"), "u", "a", "b", EVENT_TIME),
        ),
        (
            {"id": "1", "source": "a", "type": "b", "user_id": None, "timestamp": "2026-01-02T04:04:05+01:00"},
            (signal_id("a", "1"), None, "a", "b", EVENT_TIME),
        ),
    ],
)
def test_a_plain_record_is_a_signal(record: Any, expected: Any) -> None:
    """The older JSON shape is understood; without a time of its own it has that of its record, else of acceptance."""
    found = signal(plain(record, time=None))
    assert (found.id, found.user_id, found.source, found.type, found.event_ts) == expected


def test_a_plain_record_without_a_time_has_its_records() -> None:
    """The broker's timestamp is the better guess than the time of acceptance."""
    assert signal(plain({"id": "1", "source": "a", "type": "b"})).event_ts == EVENT_TIME


@pytest.mark.parametrize(("payload", "text"), [({"a": "é"}, '{"a": "é"}'), (None, "null"), (10**30, "1" + "0" * 30)])
def test_the_payload_of_a_plain_record(payload: Any, text: str) -> None:
    """A payload of any type is kept, every digit of it; an absent one is absent."""
    record = {"id": A_UUID, "source": "a", "type": "b"}
    found = signal(plain(record | {"payload": payload}))
    assert (found.payload, found.payload_json, found.extensions_json) == (payload, text, None)
    assert signal(plain(record)).payload_json is None


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (None, "not_a_signal"),
        ([], "not_a_signal"),
        ("text", "not_a_signal"),
        ({}, "not_a_signal"),
        ({"source": "a", "type": "b"}, "not_a_signal"),
        ({"id": "", "source": "a", "type": "b"}, "not_a_signal"),
        ({"id": 1, "source": "a", "type": "b"}, "not_a_signal"),
        ({"id": "1", "type": "b"}, "not_a_signal"),
        ({"id": "1", "source": "a"}, "not_a_signal"),
        ({"id": "1", "source": "a", "type": ""}, "not_a_signal"),
        ({"id": "1", "source": "a", "type": "b", "user_id": 5}, "not_a_signal"),
        ({"id": "1", "source": "a", "type": "b", "event_ts": 1767225600}, "invalid_time"),
        ({"id": "1", "source": "a", "type": "b", "event_ts": "infinity"}, "invalid_time"),
        ({"id": "1", "source": "a", "type": "b", "event_ts": "2026-01-02T03:04:05"}, "invalid_time"),
        ({"id": "1", "source": "a", "type": "b", "event_ts": "٢٠٢٦-01-01T00:00:00Z"}, "invalid_time"),
        ({"id": "1", "source": "a", "type": "b", "timestamp": "0001-01-01T00:00:00+01:00"}, "invalid_time"),
        ({"id": "1", "source": "a", "type": "b", "user_id": "x" * 257}, "text_too_long"),
        ({"id": "1", "source": "a", "type": "b", "payload": {"session_id": "x" * 257}}, "text_too_long"),
    ],
)
def test_any_other_plain_record_is_invalid(record: Any, code: str) -> None:
    """A record that does not say what it is, by whom and when, can never become a signal."""
    failure = refusal(plain(record))
    assert (failure.failure_class, failure.code, failure.http_status) == (FailureClass.INVALID, code, 422)


def test_plain_bytes_are_invalid() -> None:
    """A record that is not JSON is no signal."""
    assert refusal(Event(type=PLAIN_RECORD_TYPE, datacontenttype="text/plain", data_bytes=b"x")).code == "not_a_signal"


_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60)
_NAMES = st.from_regex("[a-z]{1,8}x", fullmatch=True)
_EXTENSIONS = st.dictionaries(_NAMES | st.just("userid"), _TEXT | st.booleans() | st.integers(-5, 5), max_size=4)
_JSON = st.none() | st.integers() | st.lists(st.text(max_size=5), max_size=3) | st.dictionaries(_TEXT, st.integers())
_TIMES = st.datetimes(timezones=st.just(UTC)) | st.none()
_EVENTS = st.builds(
    Event,
    id=_TEXT | st.uuids().map(str),
    source=_TEXT,
    type=_TEXT,
    subject=_TEXT | st.none(),
    time=_TIMES,
    dataschema=_TEXT | st.none(),
    extensions=_EXTENSIONS,
)


def rebuilt(stored: Signal) -> dict[str, Any]:
    """Return the attributes of the event that a row was made of."""
    rest = json.loads(stored.extensions_json or "{}")
    named = {"id": rest.pop("id", str(stored.id)), "dataschema": rest.pop("dataschema", None)}
    # The user came from the subject, unless another subject was put aside for it.
    subject = rest.pop("subject", None)
    return named | {"source": stored.source, "type": stored.type, "users": {stored.user_id, subject}, "rest": rest}


@given(_EVENTS, _JSON)
def test_nothing_is_lost(event: Event, data: Any) -> None:
    """From the row alone every attribute of the event can be told."""
    event = Event(**(vars(event) | {"data": data, "data_json": json.dumps(data).encode()}))
    stored = signal(event)
    user = event.extensions.get("userid")
    users = {stored.user_id, None} if user == event.subject else {stored.user_id, event.subject}
    rest = {name: value for name, value in event.extensions.items() if name != "userid" or not isinstance(value, str)}
    assert stored.event_ts == (event.time or ACCEPTED_AT)
    assert json.loads(stored.payload_json or "") == data
    found = rebuilt(stored)
    assert found.pop("users") | {None} == users | {None}
    assert found == {
        "id": event.id,
        "dataschema": event.dataschema,
        "source": event.source,
        "type": event.type,
        "rest": rest,
    }


def test_times_of_other_zones_are_the_same_instant() -> None:
    """A time is an instant: its zone changes nothing."""
    zone = timezone(timedelta(hours=5))
    record = {"id": "1", "source": "a", "type": "b", "event_ts": EVENT_TIME.astimezone(zone).isoformat()}
    assert signal(plain(record)).event_ts.isoformat() == EVENT_TIME.isoformat()
