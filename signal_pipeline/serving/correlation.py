"""Correlation id and trace context of a request, which follow it through Kafka to the row and the dead letter."""

import re
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Final
from uuid import uuid4

from structlog.contextvars import bind_contextvars

__all__ = ["bind_request", "correlation_id_of", "current_correlation_id", "current_traceparent"]

_TRACEPARENT: Final = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_SAFE_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_CURRENT: ContextVar[str] = ContextVar("correlation_id", default="")
_TRACE: ContextVar[str | None] = ContextVar("traceparent", default=None)


def correlation_id_of(headers: Mapping[str, str]) -> str:
    """Return the id of a request, by header names in lower case: the caller's where it sent a sound one, else new."""
    for name in ("ce-correlationid", "x-correlation-id"):
        if _SAFE_ID.fullmatch(headers.get(name, "")):
            return headers[name]
    for name in ("ce-traceparent", "traceparent"):
        trace = _TRACEPARENT.fullmatch(headers.get(name, ""))
        if trace:
            return trace[1]
    return uuid4().hex


def bind_request(headers: Mapping[str, str]) -> str:
    """Make a request, by header names in lower case, the one that runs now; return its correlation id.

    Every log line that is written while it runs carries the id.
    """
    correlation_id, trace = correlation_id_of(headers), headers.get("traceparent", "")
    _CURRENT.set(correlation_id)
    _TRACE.set(trace if _TRACEPARENT.fullmatch(trace) else None)
    bind_contextvars(correlation_id=correlation_id)
    return correlation_id


def current_correlation_id() -> str:
    """Return the correlation id of the request that runs now; empty outside a request."""
    return _CURRENT.get()


def current_traceparent() -> str | None:
    """Return the W3C trace context that the caller of the request sent; None without a sound one."""
    return _TRACE.get()
