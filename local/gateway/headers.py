"""Headers on their way through the gateway. Pure: headers in, headers out.

What belongs to one connection stays on it. Who called is what the gateway saw, never what the caller wrote.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from multidict import CIMultiDict

__all__ = ["OWN_ADDRESS", "Origin", "answer_headers", "call_id", "has_body", "request_headers"]

# Functions believe X-Forwarded-For from here: an address of this machine that nothing else calls from.
OWN_ADDRESS: Final = "127.0.0.80"
_Raw = tuple[bytes, bytes]
_OF_CONNECTION: Final = frozenset(
    (
        "connection",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
_OURS: Final = frozenset(("host", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded"))
_CALL_ID: Final = re.compile(r"[\x21-\x7e]{1,128}")


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a request came from.

    Attributes:
        address: Address of the peer.
        scheme: http or https.
        call_id: Its X-Call-Id.
        started_ns: When it came, in nanoseconds since 1970.
    """

    address: str
    scheme: str
    call_id: str
    started_ns: int


def call_id(headers: Iterable[_Raw]) -> str | None:
    """Return the caller's own X-Call-Id; None without a usable one."""
    given = next((value.decode("latin-1") for name, value in headers if name == b"x-call-id"), "")
    return given if _CALL_ID.fullmatch(given) else None


def has_body(headers: Iterable[_Raw]) -> bool:
    """Tell whether a body follows the headers of a request."""
    return any(name == b"transfer-encoding" or (name == b"content-length" and value != b"0") for name, value in headers)


def request_headers(headers: Iterable[_Raw], origin: Origin) -> "CIMultiDict[str]":
    """Return what the function gets.

    Args:
        headers: As they came, names in lower case.
        origin: Who called, and when.
    """
    given = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
    passed = CIMultiDict(_without(given, _OURS | {"x-call-id", "x-start-time"}))
    passed["X-Forwarded-For"] = origin.address
    passed["X-Forwarded-Proto"] = origin.scheme
    if host := next((value for name, value in given if name == "host"), ""):
        passed["X-Forwarded-Host"] = host
    passed["X-Call-Id"] = origin.call_id
    passed["X-Start-Time"] = str(origin.started_ns)
    return passed


def answer_headers(headers: Iterable[_Raw], origin: Origin) -> list[_Raw]:
    """Return what the caller gets: the function's headers, and by which call they came."""
    given = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers]
    passed = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in _without(given, frozenset())]
    return [*passed, (b"x-call-id", origin.call_id.encode()), (b"x-start-time", str(origin.started_ns).encode())]


def _without(given: list[tuple[str, str]], more: frozenset[str]) -> list[tuple[str, str]]:
    """Return the headers but those of the connection, those that its Connection header names, and more."""
    named = {word.strip().lower() for name, value in given if name == "connection" for word in value.split(",")}
    dropped = _OF_CONNECTION | named | more
    return [(name, value) for name, value in given if name not in dropped]
