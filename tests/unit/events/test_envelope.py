"""The attributes of the CloudEvents envelope, and what each refusal says."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signal_pipeline.errors import InvalidEvent
from signal_pipeline.events.envelope import (
    MAX_EXTENSION_BYTES,
    MAX_EXTENSIONS,
    CloudEvent,
    event_from_json,
    is_json_content_type,
)
from signal_pipeline.events.json_guard import load_json
from tests.unit.events.reading import REQUIRED, binary, structured


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
