"""Headers that every answer has: what a browser may do with it, and whose pages may read it.

Nothing that a function answers is a page: it loads nothing, is never sniffed for another type, shown in no frame and
kept in no cache. Pages of other origins read nothing unless CORS_ORIGINS names them; browsers then send no cookies.
"""

import re
from collections.abc import Iterable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["SAFE_HEADERS", "SafeHeaders", "origins_of"]

_Header = tuple[bytes, bytes]

SAFE_HEADERS: Final[tuple[_Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)
# Two years are what browsers ask for before they remember a site by themselves. Only said where it was heard over TLS.
_HTTPS_ONLY: Final[_Header] = (b"strict-transport-security", b"max-age=63072000")
_EXPOSED: Final = b"X-Correlation-Id, Retry-After, RateLimit, RateLimit-Policy"
_METHODS: Final = b"GET, HEAD, POST"
_MAX_AGE: Final = b"600"  # seconds that a browser may remember a permission, and so that a change may take
_REQUEST_HEADERS: Final = frozenset(
    ("authorization", "content-type", "idempotency-key", "traceparent", "tracestate", "x-api-key", "x-correlation-id")
)
_ATTRIBUTE: Final = re.compile("ce-[a-z0-9]{1,64}")
_MOST_NAMES: Final = 100


def origins_of(text: str) -> frozenset[bytes]:
    """Return the origins that a setting names, separated by commas; `*` stands for every one."""
    return frozenset(part.rstrip("/").lower().encode() for part in text.replace(",", " ").split())


class SafeHeaders:
    """ASGI middleware around all of a function.

    Args:
        app: The function.
        origins: Origins whose pages may call, such as `https://app.example.com`.
    """

    def __init__(self, app: ASGIApp, origins: frozenset[bytes] = frozenset()) -> None:
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; other scopes pass."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        added = SAFE_HEADERS if scope["scheme"] != "https" else (*SAFE_HEADERS, _HTTPS_ONLY)
        if self._origins:
            shared = self._shared(scope)
            added = (*added, *shared)
            if len(shared) > 1 and (asked := _preflight(scope)) is not None:
                await send({"type": "http.response.start", "status": 204, "headers": [*added, *asked]})
                await send({"type": "http.response.body"})
                return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        await self._app(scope, receive, sent)

    def _shared(self, scope: Scope) -> tuple[_Header, ...]:
        """Return the headers by which a browser lets a page read the answer; caches must know that they differ."""
        origin = _value(scope, b"origin")
        vary = (b"vary", b"Origin")
        if origin is None or (origin not in self._origins and b"*" not in self._origins):
            return (vary,)
        allowed = b"*" if b"*" in self._origins else origin
        return vary, (b"access-control-allow-origin", allowed), (b"access-control-expose-headers", _EXPOSED)


def _preflight(scope: Scope) -> list[_Header] | None:
    """Return the answer to a browser that asks whether a page may make a request; None when it asks no such thing."""
    if scope["method"] != "OPTIONS" or _value(scope, b"access-control-request-method") is None:
        return None
    asked = (_value(scope, b"access-control-request-headers") or b"").decode("latin-1").lower().split(",")
    allowed = sorted(_allowed(name.strip() for name in asked[:_MOST_NAMES]))
    return [
        (b"access-control-allow-methods", _METHODS),
        (b"access-control-allow-headers", ", ".join(allowed).encode()),
        (b"access-control-max-age", _MAX_AGE),
    ]


def _allowed(names: Iterable[str]) -> set[str]:
    return {name for name in names if name in _REQUEST_HEADERS or _ATTRIBUTE.fullmatch(name)}


def _value(scope: Scope, wanted: bytes) -> bytes | None:
    return next((value for name, value in scope["headers"] if name == wanted), None)
