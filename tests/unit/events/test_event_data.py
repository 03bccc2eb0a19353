"""The data of an event: JSON, other bytes or none, the same in every mode, and bounded."""

import base64
import json
from typing import Any

import pytest

from signal_pipeline.errors import InvalidEvent
from signal_pipeline.events.envelope import MAX_EVENT_BYTES, CloudEvent, event_from_json
from signal_pipeline.events.json_guard import load_json
from tests.unit.events.reading import REQUIRED, binary, structured


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
