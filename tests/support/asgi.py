"""Calls an ASGI application without a server: what reaches it is exactly what a test says."""

from collections.abc import Iterable, Sequence
from typing import Any

from starlette.types import ASGIApp, Message

from tests.support.http import Answer

__all__ = ["call"]


async def call(
    app: ASGIApp, method: str, path: str, headers: Sequence[tuple[str, str]] = (), body: bytes | Iterable[bytes] = b""
) -> Answer:
    """Send one request; a body in parts arrives part by part and is pulled only as far as it is read."""
    parts = iter([body] if isinstance(body, bytes) else body)
    sent: list[Message] = []

    async def receive() -> Message:
        part = next(parts, None)
        return {"type": "http.request", "body": part or b"", "more_body": part is not None}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(_scope(method, path, headers), receive, send)
    start, *rest = sent
    found = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in start["headers"]}
    return Answer(status=start["status"], headers=found, body=b"".join(part.get("body", b"") for part in rest))


def _scope(method: str, path: str, headers: Sequence[tuple[str, str]]) -> dict[str, Any]:
    path, _, query = path.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 1),
    }
