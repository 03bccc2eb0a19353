"""What a signal is: the mapping from CloudEvents is total and loses nothing."""

import base64
import json
from datetime import UTC
from typing import Any
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signal_pipeline.domain.signals import IDENTITY_NAMESPACE, Signal, signal_id, signal_of
from tests.unit.domain.signal_events import (
    A_UUID,
    ACCEPTED_AT,
    EVENT_TIME,
    Event,
    extensions,
    json_event,
    refusal,
    signal,
)


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
