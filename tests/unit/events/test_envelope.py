"""The CloudEvents envelope: every attribute, every form of data, and what each refusal says."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signal_pipeline.errors import InvalidEvent
from signal_pipeline.events.envelope import (
    MAX_EVENT_BYTES,
    MAX_EXTENSION_BYTES,
    MAX_EXTENSIONS,
    CloudEvent,
    event_from_attributes,
    event_from_json,
    is_json_content_type,
)
from signal_pipeline.events.json_guard import load_json

REQUIRED = {"specversion": "1.0", "id": "1", "source": "web", "type": "login"}


def structured(**attributes: Any) -> CloudEvent:
    """Read an event from the text of its JSON format, as it would arrive."""
    value, plain = load_json(json.dumps(REQUIRED | attributes).encode())
    return event_from_json(value, plain=plain)


def binary(body: bytes | None = None, **attributes: Any) -> CloudEvent:
    """Read an event whose attributes and data travelled apart."""
    return event_from_attributes(REQUIRED | attributes, body)


def refusal(**attributes: Any) -> str:
    """Return the message with which an event is refused, in structured mode."""
    with pytest.raises(InvalidEvent) as caught:
        structured(**attributes)
    assert caught.value.failure.http_status == 400
    return caught.value.failure.detail


def test_smallest_event() -> None:
    """Four attributes are enough, and everything else is absent."""
    expected = CloudEvent(id="1", source="web", type="login")
    assert structured() == binary() == expected


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_names_a_missing_attribute(name: str) -> None:
    """Without a required attribute the refusal names it."""
    with pytest.raises(InvalidEvent, match=f"^{name}: Field required"):
        event_from_json({key: value for key, value in REQUIRED.items() if key != name}, plain=True)


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ({"specversion": "0.3"}, "specversion"),
        ({"specversion": 1.0}, "specversion"),
        ({"id": ""}, "id"),
        ({"id": 7}, "id"),
        ({"id": None}, "id"),
        ({"id": "x" * 257}, "id"),
        ({"id": "é" * 129}, "id"),
        ({"id": "a\nb"}, "id"),
        ({"source": "a\x7fb"}, "source"),
        ({"source": ""}, "source"),
        ({"type": "x" * 10_000}, "type"),
        ({"type": ["login"]}, "type"),
        ({"subject": ""}, "subject"),
        ({"subject": "u" * 3000}, "subject"),
        ({"datacontenttype": ""}, "datacontenttype"),
        ({"dataschema": {"a": 1}}, "dataschema"),
        ({"data_base64": 5}, "data_base64"),
        ({"myext": 1.5}, "myext"),
        ({"myext": {"a": 1}}, "myext"),
        ({"myext": ["a"]}, "myext"),
        ({"myext": 2**31}, "myext"),
        ({"myext": -(2**31) - 1}, "myext"),
        ({"myext": "a\tb"}, "myext"),
        ({"myext": "é" * (MAX_EXTENSION_BYTES // 2 + 1)}, "myext"),
        ({"MyExt": "a"}, "an extension's name"),
        ({"my_ext": "a"}, "an extension's name"),
        ({"": "a"}, "an extension's name"),
        ({"é": "a"}, "an extension's name"),
        ({"x" * 65: "a"}, "an extension's name"),
    ],
)
def test_names_the_attribute_that_is_wrong(attributes: dict[str, Any], name: str) -> None:
    """A wrong attribute is named, and neither its value nor a strange name is repeated."""
    assert refusal(**attributes).startswith(name)


@pytest.mark.parametrize(
    "text",
    [
        "infinity",
        "",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-01-01T00:00:60Z",
        "2026-01-01T24:00:00Z",
        "2026-02-30T00:00:00Z",
        "300000-01-01T00:00:00Z",
        "-4713-01-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "2026-01-01T00:00:00+25:00",
        "2026-01-01T00:00:00.1234567890Z",
        "2026-01-01T00:00:00Z\n",
        "٢٠٢٦-01-01T00:00:00Z",
        "1767225600",
    ],
)
def test_refuses_what_is_no_time(text: str) -> None:
    """A time is RFC 3339 with a zone, and one that a calendar and PostgreSQL have."""
    assert refusal(time=text).startswith("time: ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02t03:04:05z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05.5+02:00", datetime(2026, 1, 2, 1, 4, 5, 500_000, tzinfo=UTC)),
        ("2026-01-02T03:04:05.123456789-00:30", datetime(2026, 1, 2, 3, 34, 5, 123_456, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999999Z", datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
    ],
)
def test_reads_times_in_utc(text: str, expected: datetime) -> None:
    """Any zone and precision is read; what is finer than a microsecond is cut off."""
    event = structured(time=text)
    assert event.time == expected
    assert event.time.utcoffset() == expected.utcoffset()


def test_limits_are_bytes() -> None:
    """256 bytes of an indexed attribute fit, in whatever script."""
    assert structured(id="x" * 256, subject="é" * 128).subject == "é" * 128


def test_keeps_extensions_by_type() -> None:
    """Extensions keep text, booleans and 32-bit integers; a null one is absent."""
    event = structured(a="", b=True, c=-(2**31), d=2**31 - 1, e=None, partitionkey="x")
    assert event.extensions == {"a": "", "b": True, "c": -(2**31), "d": 2**31 - 1, "partitionkey": "x"}


def test_bounds_the_number_of_extensions() -> None:
    """As many extensions as the limit are kept, one more is refused."""
    names = [f"x{number}" for number in range(MAX_EXTENSIONS)]
    assert len(structured(**dict.fromkeys(names, "v")).extensions) == MAX_EXTENSIONS
    assert "more than" in refusal(**dict.fromkeys([*names, "y"], "v"))


@pytest.mark.parametrize("value", [None, True, 0, 1.5, "text", [], {}, {"session_id": "sess_12345"}, [1, [2]], 2**70])
def test_any_json_value_is_data(value: Any) -> None:
    """Data is any JSON value, the same in both modes, as parsed and as text; null is not the same as none."""
    text = json.dumps(value, separators=(",", ":")).encode()
    by_json, by_body = structured(data=value), binary(text)
    assert by_json == by_body
    assert (by_json.data, by_json.data_json) == (value, text)


def test_json_as_base64_is_json() -> None:
    """Base64 is only a way to carry the bytes: JSON inside it is JSON data."""
    assert structured(data_base64=base64.b64encode(b'{ "a":1 }').decode()) == structured(data={"a": 1})


@pytest.mark.parametrize(
    ("attributes", "raw"),
    [
        ({"datacontenttype": "text/plain", "data": "héllo"}, "héllo".encode()),
        ({"datacontenttype": "text/plain", "data": [1, 2]}, b"[1,2]"),
        ({"datacontenttype": "application/octet-stream", "data_base64": "AAH/"}, b"\x00\x01\xff"),
    ],
)
def test_other_bytes_are_kept(attributes: dict[str, Any], raw: bytes) -> None:
    """Data of another media type is kept byte for byte and never parsed."""
    event = structured(**attributes)
    assert (event.data, event.data_json, event.data_bytes) == (None, None, raw)
    assert event == binary(raw, datacontenttype=attributes["datacontenttype"])


@pytest.mark.parametrize(
    "event",
    [
        structured(datacontenttype="text/plain", data=""),
        structured(datacontenttype="text/plain", data_base64=""),
        binary(b"", datacontenttype="text/plain"),
        binary(None, datacontenttype="text/plain"),
    ],
)
def test_no_bytes_are_no_data(event: CloudEvent) -> None:
    """An empty body is no data in every mode, so that an event is the same after each hop."""
    assert event == CloudEvent(id="1", source="web", type="login", datacontenttype="text/plain")


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ({"data": 1, "data_base64": "MQ=="}, "invalid_data"),
        ({"data_base64": "not base64!"}, "invalid_data"),
        ({"data_base64": "MQ"}, "invalid_data"),
        ({"data_base64": base64.b64encode(b"{").decode()}, "not_json"),
        ({"data": {"a": "\x00"}}, "nul_character"),
        ({"datacontenttype": "text/plain", "data": "\ud800"}, "lone_surrogate"),
        ({"data": float("nan")}, "number_not_finite"),
    ],
)
def test_refuses_wrong_data(attributes: dict[str, Any], code: str) -> None:
    """Data that cannot be read or stored is refused by a code of its own."""
    with pytest.raises(InvalidEvent) as caught:
        structured(**attributes)
    assert caught.value.failure.code == code


@pytest.mark.parametrize("name", ["data", "data_base64"])
def test_data_is_no_attribute_in_binary_mode(name: str) -> None:
    """In binary mode nothing but the body is the data."""
    with pytest.raises(InvalidEvent, match=name):
        binary(**{name: "x"})


@pytest.mark.parametrize("value", [None, [], "text", 5, True])
def test_an_envelope_is_an_object(value: Any) -> None:
    """An empty, scalar or list envelope is refused."""
    with pytest.raises(InvalidEvent) as caught:
        event_from_json(value, plain=True)
    assert caught.value.failure.code == "not_an_object"


def test_an_envelope_with_a_key_twice_is_refused_as_such() -> None:
    """Of two ids neither is taken."""
    value, plain = load_json(b'{"specversion":"1.0","id":"1","id":"2","source":"s","type":"t"}')
    with pytest.raises(InvalidEvent) as caught:
        event_from_json(value, plain=plain)
    assert caught.value.failure.code == "duplicate_key"


@pytest.mark.parametrize("separators", [(",", ":"), (" ,", ": ")])
@pytest.mark.parametrize(("levels", "accepted"), [(32, True), (33, False)])
def test_depth_is_the_depth_of_the_data(levels: int, accepted: bool, separators: tuple[str, str]) -> None:  # noqa: FBT001
    """The envelope does not count as a level, whichever way the document is checked and carried."""
    data: Any = []
    for _ in range(levels - 1):
        data = [data]
    text = json.dumps(data, separators=separators)
    value, plain = load_json(json.dumps(REQUIRED | {"data": data}, separators=separators).encode())
    if accepted:
        assert event_from_json(value, plain=plain) == binary(text.encode())
        return
    for read in (lambda: event_from_json(value, plain=plain), lambda: binary(text.encode())):
        with pytest.raises(InvalidEvent) as caught:
            read()
        assert caught.value.failure.code == "too_deep"


@pytest.mark.parametrize("content_type", [None, "text/plain"])
def test_data_up_to_the_limit(content_type: str | None) -> None:
    """Exactly 256 KiB of data fit, in every mode; one byte more is 413."""
    fits, room = "x" * (MAX_EVENT_BYTES - 2 * (content_type is None)), {"datacontenttype": content_type}
    for text in (fits, fits + "x"):
        raw = json.dumps(text).encode() if content_type is None else text.encode()
        encoded = base64.b64encode(raw).decode()
        for read in (
            lambda text=text: structured(data=text, **room),
            lambda encoded=encoded: structured(data_base64=encoded, **room),
            lambda raw=raw: binary(raw, **room),
        ):
            if text is fits:
                read()
                continue
            with pytest.raises(InvalidEvent) as caught:
                read()
            assert caught.value.failure.http_status == 413


def test_the_limit_holds_for_the_text_that_travels_on() -> None:
    """1e5 is five times shorter than the text that is written for it: 100000.0 must fit too."""
    raw = b"[" + b"1e5," * (MAX_EVENT_BYTES // 5) + b"0]"
    assert len(raw) < MAX_EVENT_BYTES < len(raw) * 9 // 4
    with pytest.raises(InvalidEvent) as caught:
        binary(raw)
    assert caught.value.failure.code == "payload_too_large"


@pytest.mark.parametrize(
    ("content_type", "is_json"),
    [
        (None, True),
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("text/json", True),
        ("application/vnd.x+json", True),
        ("application/json-seq", False),
        ("text/plain", False),
        ("json", False),
    ],
)
def test_knows_json_content_types(content_type: str | None, is_json: bool) -> None:  # noqa: FBT001
    """JSON is recognised by media type or by the suffix +json."""
    assert is_json_content_type(content_type) is is_json


_ATTRIBUTE = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60)


@given(
    attributes=st.fixed_dictionaries(
        {"id": _ATTRIBUTE, "source": _ATTRIBUTE, "type": _ATTRIBUTE},
        optional={"subject": _ATTRIBUTE, "dataschema": _ATTRIBUTE, "myext": _ATTRIBUTE},
    ),
    data=st.dictionaries(
        st.text("abc"), st.integers() | st.text("xyz") | st.floats(allow_nan=False, allow_infinity=False)
    ),
)
def test_both_modes_read_the_same(attributes: dict[str, str], data: dict[str, Any]) -> None:
    """An event is the same whichever way it travelled."""
    assert structured(**attributes, data=data) == binary(json.dumps(data).encode(), **attributes)
