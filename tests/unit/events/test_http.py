"""CloudEvents on HTTP: three modes, and one bad event costs its neighbours nothing."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from signal_pipeline.errors import InvalidEvent, PayloadTooLarge, UnsupportedContent
from signal_pipeline.events.envelope import MAX_EVENT_BYTES, CloudEvent, RefusedEvent
from signal_pipeline.events.http import (
    BATCH_CONTENT_TYPE,
    MAX_BATCH_EVENTS,
    STRUCTURED_CONTENT_TYPE,
    Mode,
    Request,
    decode_request,
    mode_of,
)

EVENT = {"specversion": "1.0", "id": "1", "source": "web", "type": "login", "data": {"session_id": "sess_12345"}}
BINARY = (("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "web"), ("ce-type", "login"))


def structured(body: Any, content_type: str = STRUCTURED_CONTENT_TYPE) -> Request:
    """Decode a structured request."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return decode_request([("content-type", content_type)], raw)


def batch(body: Any, *more: tuple[str, str]) -> Request:
    """Decode a batch."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return decode_request([("content-type", BATCH_CONTENT_TYPE), *more], raw)


def binary(*more: tuple[str, str], body: bytes = b"") -> Request:
    """Decode a binary request with the required attributes."""
    return decode_request([*BINARY, *more], body)


def only_event(request: Request) -> CloudEvent:
    """Return the one event of a request, which must be valid."""
    (event,) = request.events
    assert isinstance(event, CloudEvent), event
    return event


def only_code(request: Request) -> str:
    """Return the code by which the one event of a request is refused."""
    (event,) = request.events
    assert isinstance(event, RefusedEvent), event
    return event.failure.code


@pytest.mark.parametrize(
    ("headers", "mode"),
    [
        ([("content-type", "application/cloudevents+json")], Mode.STRUCTURED),
        ([("content-type", "Application/CloudEvents+JSON ; charset=UTF-8")], Mode.STRUCTURED),
        ([("content-type", "application/cloudevents-batch+json")], Mode.BATCH),
        ([("ce-id", "1"), ("content-type", "application/cloudevents+json")], Mode.STRUCTURED),
        ([("ce-id", "1")], Mode.BINARY),
        ([("content-type", "application/json"), ("ce-type", "x")], Mode.BINARY),
        ([("content-type", "application/json")], None),
        ([("content-type", "text/xml")], None),
        ([], None),
    ],
)
def test_the_headers_tell_the_mode(headers: list[tuple[str, str]], mode: Mode | None) -> None:
    """The content type decides first, then any ce- header; a request with neither carries no event."""
    assert mode_of(headers) is mode


def test_every_mode_reads_the_same_event() -> None:
    """One event is equal in all three modes."""
    data = json.dumps(EVENT["data"]).encode()
    expected = only_event(structured(EVENT))
    assert only_event(batch([EVENT])) == only_event(binary(body=data)) == expected
    assert expected.data == EVENT["data"]


@pytest.mark.parametrize("content_type", ["application/json", "text/xml", "application/cloudevents+xml", None])
def test_other_content_is_unsupported(content_type: str | None) -> None:
    """A request without an event is answered 415, whatever its body."""
    with pytest.raises(UnsupportedContent):
        decode_request([("content-type", content_type)] if content_type else [], b"{}")


@pytest.mark.parametrize("charset", ["utf-16", "iso-8859-1", '"latin1"'])
def test_json_is_utf8(charset: str) -> None:
    """JSON of another charset is answered 415, in every mode; other content may have any charset."""
    for content_type in (STRUCTURED_CONTENT_TYPE, BATCH_CONTENT_TYPE):
        with pytest.raises(UnsupportedContent):
            decode_request([("content-type", f"{content_type}; charset={charset}")], b"[]")
    with pytest.raises(UnsupportedContent):
        binary(("content-type", f"application/json; charset={charset}"), body=b"{}")
    assert only_event(binary(("content-type", f"text/plain; charset={charset}"), body=b"\xff")).data_bytes == b"\xff"


@pytest.mark.parametrize("charset", ["utf-8", '"UTF-8"', "us-ascii"])
def test_utf8_may_be_said(charset: str) -> None:
    """The charset that JSON has anyway may be named."""
    assert only_event(structured(EVENT, f"{STRUCTURED_CONTENT_TYPE}; charset={charset}")).id == "1"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity, gzip"])
def test_compressed_bodies_are_unsupported(encoding: str) -> None:
    """Nothing is unpacked, so nothing can expand: a compressed body is answered 415."""
    with pytest.raises(UnsupportedContent):
        batch([EVENT], ("content-encoding", encoding))
    assert len(batch([EVENT], ("content-encoding", "identity")).events) == 1


@pytest.mark.parametrize("text", ["Ünïcode €", '100% "quoted"', "a b", "%41", "😀"])
def test_header_values_are_percent_decoded(text: str) -> None:
    """What the HTTP binding encodes comes back; characters that a header can hold may also come as they are."""
    encoded = quote(text, safe="")
    assert only_event(binary(("ce-subject", encoded))).subject == text


def test_raw_utf8_in_a_header_is_understood() -> None:
    """A sender that wrote UTF-8 into the header, which a server shows as ISO 8859-1, is understood."""
    assert only_event(binary(("ce-subject", "é€".encode().decode("latin-1")))).subject == "é€"


@pytest.mark.parametrize("value", ["%FF", "%ED%A0%80", "caf\xe9", "%00", "a%0d%0aSet-Cookie: x"])
def test_header_values_are_clean_utf8(value: str) -> None:
    """Broken UTF-8, surrogates and control characters are refused however they are spelt."""
    assert only_code(binary(("ce-subject", value))) == "invalid_attribute"


def test_an_incomplete_escape_is_text() -> None:
    """A percent sign that begins no escape stands for itself."""
    assert only_event(binary(("ce-subject", "100%"))).subject == "100%"


@pytest.mark.parametrize(
    "twice",
    [
        [("ce-id", "2")],
        [("ce-myext", "a"), ("ce-myext", "a")],
        [("content-type", "application/json"), ("content-type", "text/plain")],
        [("content-type", "text/plain"), ("ce-datacontenttype", "application/json")],
        [("ce-datacontenttype", "application/json"), ("content-type", "text/plain")],
    ],
)
def test_an_attribute_stands_once(twice: list[tuple[str, str]]) -> None:
    """Of two values for one attribute neither is taken, in whatever order they came."""
    assert only_code(binary(*twice, body=b"{}")) == "invalid_attribute"


@pytest.mark.parametrize("name", ["ce-", "ce-my_ext", "ce-data", "ce-data_base64"])
def test_refuses_other_header_names(name: str) -> None:
    """A ce- header that names no possible attribute is refused."""
    assert only_code(binary((name, "x"))) in {"invalid_attribute", "invalid_data"}


def test_other_headers_are_not_attributes() -> None:
    """Only ce- headers and the content type say anything about the event."""
    event = only_event(binary(("host", "x"), ("x-ce-id", "2"), ("content-length", "0")))
    assert event == CloudEvent(id="1", source="web", type="login")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b"[]", "not_an_object"),
        (b"5", "not_an_object"),
        (b"null", "not_an_object"),
        (b"{}", "invalid_attribute"),
        (b"NaN", "number_not_finite"),
        (b"\xef\xbb\xbf" + json.dumps(EVENT).encode(), "not_json"),
        (json.dumps(EVENT).encode("utf-16"), "not_utf8"),
        (json.dumps(EVENT).encode() + b"x", "not_json"),
    ],
)
def test_a_structured_body_is_one_event(body: bytes, code: str) -> None:
    """Anything but a JSON object with an event is refused, with the reason."""
    assert only_code(structured(body)) == code


BAD: list[tuple[Any, str]] = [
    (5, "not_an_object"),
    ([], "not_an_object"),
    (EVENT | {"specversion": "0.3"}, "invalid_attribute"),
    (EVENT | {"id": ""}, "invalid_attribute"),
    (EVENT | {"data": float("nan")}, "number_not_finite"),
    (EVENT | {"data": "\x00"}, "nul_character"),
    (EVENT | {"data": "\ud800"}, "lone_surrogate"),
    (EVENT | {"data": 10**400}, "number_out_of_range"),
    (EVENT | {"data": json.loads("[" * 40 + "]" * 40)}, "too_deep"),
    (EVENT | {"data": "x" * (MAX_EVENT_BYTES + 1)}, "payload_too_large"),
]


@pytest.mark.parametrize(("element", "code"), BAD)
def test_a_bad_element_costs_its_neighbours_nothing(element: Any, code: str) -> None:
    """In a batch the bad one is refused in its place, with its name, and the others are as if it were not there."""
    first, second, third = batch([EVENT | {"id": "a"}, element, EVENT | {"id": "c"}]).events
    assert [first, third] == [
        only_event(structured(EVENT | {"id": "a"})),
        only_event(structured(EVENT | {"id": "c"})),
    ]
    assert isinstance(second, RefusedEvent)
    assert second.failure.code == code
    if isinstance(element, dict):
        assert (second.id, second.source) == (element["id"], element["source"])


def test_all_bad_elements_at_once() -> None:
    """Every refusal stands at the index of its element."""
    elements = [part for bad, _ in BAD for part in (bad, EVENT)]
    found = [event.failure.code if isinstance(event, RefusedEvent) else None for event in batch(elements).events]
    assert found == [part for _, code in BAD for part in (code, None)]


def test_the_name_of_a_refused_event_is_short() -> None:
    """An id is repeated to its sender only up to 256 characters."""
    (refused,) = batch([EVENT | {"id": "x" * 10_000}]).events
    assert refused.id == "x" * 256


@pytest.mark.parametrize("body", [b"{}", b"5", b"null", b"", b"[", b"[]x", b'"text"', b'{"a":1,"a":2}'])
def test_a_batch_is_a_list(body: bytes) -> None:
    """A body that is no list fails as a whole."""
    with pytest.raises(InvalidEvent) as caught:
        batch(body)
    assert caught.value.failure.http_status == 400


def test_an_empty_batch_is_a_batch() -> None:
    """A batch may hold nothing."""
    assert batch([]) == Request(mode=Mode.BATCH, events=[])


def test_a_batch_has_a_longest_length() -> None:
    """The longest batch is read, a longer one is answered 413 as a whole."""
    assert len(batch([0] * MAX_BATCH_EVENTS).events) == MAX_BATCH_EVENTS
    with pytest.raises(PayloadTooLarge):
        batch([0] * (MAX_BATCH_EVENTS + 1))


@pytest.mark.parametrize("mode", ["structured", "binary"])
def test_a_single_body_is_bounded_before_it_is_parsed(mode: str) -> None:
    """A body far over the limit of an event is answered 413 without a look at its syntax."""
    body = b"[" * (2 * MAX_EVENT_BYTES)
    assert only_code(structured(body) if mode == "structured" else binary(body=body)) == "payload_too_large"
