"""The correlation id: follows a request from the edge through Kafka to the row, the anomaly and the dead letter."""

import re
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Final
from uuid import uuid4

__all__ = ["bind_correlation_id", "correlation_id_of", "current_correlation_id"]

_TRACEPARENT: Final = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_SAFE_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_CURRENT: ContextVar[str] = ContextVar("correlation_id", default="")


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


def bind_correlation_id(value: str) -> None:
    """Make `value` the correlation id of the request that runs now."""
    _CURRENT.set(value)


def current_correlation_id() -> str:
    """Return the correlation id of the request that runs now; empty outside a request."""
    return _CURRENT.get()
