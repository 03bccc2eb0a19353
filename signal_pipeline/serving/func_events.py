"""Makes a request again of the event that func's middleware read from it, with `invoke: cloudevent`.

    request ──▶ middleware: reads the body, parses the event, keeps the bytes ──▶ scope["event"] ──▶ request, as it was

Headers are still there; the body is written anew from the parsed data. What parsing loses stays lost: numbers have a
double's precision, of two members of one name the last counts. The folders say `invoke: http`, which loses nothing.
"""

import base64
import json
from datetime import datetime
from typing import Any, Protocol

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope

from signal_pipeline.events.envelope import is_json_content_type

__all__ = ["ParsedEvent", "request_of"]


class ParsedEvent(Protocol):
    """An event of the CloudEvents SDK 2, which this module does not need to import."""

    def get_attributes(self) -> dict[str, Any]:
        """Return its attributes; times are datetimes."""

    def get_data(self) -> Any:
        """Return its data: parsed JSON, text, bytes, or None."""


def request_of(scope: Scope, receive: Receive) -> tuple[Scope, Receive]:
    """Return the request whose body the middleware has read.

    Args:
        scope: The request's scope, with the parsed event in it.
        receive: Tells, from now on, only that the client is gone.
    """
    event: ParsedEvent = scope["event"]
    headers = Headers(scope=scope)
    is_binary = any(name.startswith("ce-") for name in headers)
    body = _data(event.get_data(), headers) if is_binary else _structured(event)
    again: list[tuple[bytes, bytes]] = [pair for pair in scope["headers"] if pair[0].lower() != b"content-length"]
    again.append((b"content-length", str(len(body)).encode()))
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Message:
        return messages.pop() if messages else await receive()

    return {**scope, "headers": again}, received


def _structured(event: ParsedEvent) -> bytes:
    attributes = {name: _text(value) for name, value in event.get_attributes().items()}
    data = event.get_data()
    if isinstance(data, bytes):
        return json.dumps({**attributes, "data_base64": base64.b64encode(data).decode()}).encode()
    return json.dumps(attributes if data is None else {**attributes, "data": data}).encode()


def _text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _data(data: Any, headers: Headers) -> bytes:
    if data is None:
        return b""
    if isinstance(data, bytes):
        return data
    if isinstance(data, str) and not _was_json_string(data, headers):
        return data.encode()
    return json.dumps(data).encode()


def _was_json_string(text: str, headers: Headers) -> bool:
    """Tell a JSON string from text that is no JSON, which comes here unparsed: only a string had quotation marks."""
    length = headers.get("content-length")
    if length is None:
        return False  # nobody can tell: text is refused where a string would be stored, never the other way round
    return is_json_content_type(headers.get("content-type")) and length != str(len(text.encode()))
