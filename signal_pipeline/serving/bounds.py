"""How much a client may say before its body and how long the server waits for it, and what it is told otherwise."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from signal_pipeline.domain.failures import Failure, FailureClass

__all__ = ["FULL", "HEADERS_TOO_LARGE", "MALFORMED", "TOO_SLOW", "Bounds", "head_fault"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """How patient a server is with one client.

    Attributes:
        head_bytes: Largest address and headers together: what 64 extension attributes may need.
        headers: Most headers.
        address_bytes: Longest address.
        pipelined: Most requests that may wait behind the one that is answered.
        head_seconds: From the first byte of a request, or the start of the connection, to the end of its headers.
        body_seconds: Within each such span at least `body_bytes` of a body must come.
        body_bytes: See there: 1 KiB a second, slower than any line that people use.
        drain_seconds: How long the rest of a body is read after its answer.
        drain_bytes: How much of it: several bodies of the largest size.
        write_seconds: How long a client may leave its answer unread.
    """

    head_bytes: int = 64 * 1024
    headers: int = 128
    address_bytes: int = 8 * 1024
    pipelined: int = 64
    head_seconds: float = 10.0
    body_seconds: float = 10.0
    body_bytes: int = 10 * 1024
    drain_seconds: float = 5.0
    drain_bytes: int = 16 * 1024**2
    write_seconds: float = 30.0


def _invalid(status: int, code: str, detail: str) -> Failure:
    return Failure(failure_class=FailureClass.INVALID, code=code, detail=detail, status=status)


MALFORMED: Final = _invalid(400, "malformed_request", "the request is not HTTP/1.1 that has only one meaning")
ADDRESS_TOO_LONG: Final = _invalid(414, "address_too_long", "the address is too long")
HEADERS_TOO_LARGE: Final = _invalid(431, "headers_too_large", "the headers are too large or too many")
TOO_SLOW: Final = Failure(
    failure_class=FailureClass.DEPENDENCY, code="too_slow", detail="the request did not arrive in time", status=408
)
FULL: Final = Failure(
    failure_class=FailureClass.OVERLOAD, code="too_many_connections", detail="too many connections", status=503
)


def head_fault(address: bytes, headers: Sequence[tuple[bytes, bytes]], version: str, bounds: Bounds) -> Failure | None:
    """Return what is wrong with headers that the parser let pass.

    Args:
        address: As it was asked for.
        headers: Names in lower case.
        version: Of HTTP, such as "1.1".
        bounds: How much there may be.
    """
    if len(address) > bounds.address_bytes:
        return ADDRESS_TOO_LONG
    size = hosts = codings = 0
    for name, value in headers:  # one walk, for every request pays for it
        size += len(name) + len(value)
        if name == b"host":
            hosts += 1
        elif name == b"transfer-encoding":
            codings += 1 if value.lower() == b"chunked" else 2
    if len(headers) > bounds.headers or size > bounds.head_bytes:
        return HEADERS_TOO_LARGE
    return _ambiguity(hosts, codings, version)


def _ambiguity(hosts: int, codings: int, version: str) -> Failure | None:
    """Return what another server might read otherwise."""
    if hosts > 1 or (hosts == 0 and version == "1.1"):
        return _malformed("a request has exactly one Host")
    if version not in {"1.1", "1.0"}:
        return _malformed("this server speaks HTTP/1.1")
    if codings > 1 or (codings and version == "1.0"):
        return _malformed("the one transfer coding is chunked, in HTTP/1.1")
    return None


def _malformed(detail: str) -> Failure:
    return _invalid(400, MALFORMED.code, detail)
