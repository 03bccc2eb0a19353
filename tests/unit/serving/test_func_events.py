"""The request that is made again of an event which func's middleware has read."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.types import Message, Scope

from signal_pipeline.events.http import decode_request
from signal_pipeline.serving.func_events import request_of

CE = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "web", "ce-type": "click"}


class Parsed:
    """What the SDK makes of a request."""

    def __init__(self, attributes: Mapping[str, Any], data: Any) -> None:
        self._attributes = dict(attributes)
        self._data = data

    def get_attributes(self) -> dict[str, Any]:
        """Return its attributes."""
        return self._attributes

    def get_data(self) -> Any:
        """Return its data."""
        return self._data


def again(headers: Mapping[str, str], event: Parsed) -> tuple[dict[str, str], bytes]:
    """Return headers and body of the request that is made again; then the client is gone."""
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope: Scope = {"type": "http", "headers": pairs, "event": event}

    async def gone() -> Message:
        return {"type": "http.disconnect"}

    async def read() -> tuple[Scope, Message, Message]:
        made, receive = request_of(scope, gone)
        return made, await receive(), await receive()

    made, first, second = asyncio.run(read())
    assert (first["more_body"], second["type"]) == (False, "http.disconnect")
    found = {name.decode(): value.decode() for name, value in made["headers"]}
    assert found["content-length"] == str(len(first["body"]))
    return found, first["body"]


@pytest.mark.parametrize(
    ("sent", "parsed"),
    [
        (b'{"a":[1,2.5,null,"x"]}', {"a": [1, 2.5, None, "x"]}),
        (b'"text"', "text"),
        (b"text", "text"),  # no JSON: the SDK hands on what it could not parse
        (b"\xff\xfe", b"\xff\xfe"),
        (b"12", 12),
        (b"", None),
    ],
)
def test_data_of_a_binary_event(sent: bytes, parsed: Any) -> None:
    """The body means what the one that was read meant; what was no JSON still is none."""
    headers = CE | {"content-type": "application/json", "content-length": str(len(sent))}
    _, body = again(headers, Parsed({}, parsed))
    try:
        assert json.loads(body) == json.loads(sent)
    except ValueError:
        assert body == sent


def test_other_data_of_a_binary_event() -> None:
    """Text of another content type is no JSON string."""
    _, body = again(CE | {"content-type": "text/plain", "content-length": "4"}, Parsed({}, "text"))
    assert body == b"text"


@pytest.mark.parametrize("data", [{"a": 1}, "text", b"\x00\x01", None])
def test_a_structured_event(data: Any) -> None:
    """Attributes and data are those that were read; a time has its zone."""
    attributes = {"specversion": "1.0", "id": "1", "source": "web", "type": "click", "subject": "user_7"}
    read = attributes | {"time": datetime(2026, 9, 1, 10, tzinfo=UTC)}
    parsed = Parsed(read | ({"datacontenttype": "image/png"} if isinstance(data, bytes) else {}), data)
    headers, body = again({"content-type": "application/cloudevents+json", "content-length": "9"}, parsed)
    (event,) = decode_request(list(headers.items()), body).events
    assert {name: getattr(event, name) for name in ("id", "source", "type", "subject")} == {
        name: attributes[name] for name in ("id", "source", "type", "subject")
    }
    assert event.time == datetime(2026, 9, 1, 10, tzinfo=UTC)
    if isinstance(data, bytes):
        assert event.data_bytes == data
    else:
        assert (event.data_json and json.loads(event.data_json)) == data
