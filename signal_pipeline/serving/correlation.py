"""Correlation id and trace context of a request, which follow it through Kafka to the row and the dead letter."""

from collections.abc import Mapping
from contextvars import ContextVar
from uuid import uuid4

from structlog.contextvars import bind_contextvars

from signal_pipeline.domain.trace_ids import sound_correlation_id, sound_traceparent, trace_id_of

__all__ = ["bind_request", "correlation_id_of", "current_correlation_id", "current_traceparent"]

_CURRENT: ContextVar[str] = ContextVar("correlation_id", default="")
_TRACE: ContextVar[str | None] = ContextVar("traceparent", default=None)


def correlation_id_of(headers: Mapping[str, str]) -> str:
    """Return the id of a request, by header names in lower case: the caller's where it sent a sound one, else new."""
    for name in ("ce-correlationid", "x-correlation-id"):
        if sound := sound_correlation_id(headers.get(name)):
            return sound
    for name in ("ce-traceparent", "traceparent"):
        if trace := trace_id_of(headers.get(name)):
            return trace
    return uuid4().hex


def bind_request(headers: Mapping[str, str]) -> str:
    """Make a request, by header names in lower case, the one that runs now; return its correlation id.

    Every log line that is written while it runs carries the id.
    """
    correlation_id = correlation_id_of(headers)
    _CURRENT.set(correlation_id)
    _TRACE.set(sound_traceparent(headers.get("traceparent")))
    bind_contextvars(correlation_id=correlation_id)
    return correlation_id


def current_correlation_id() -> str:
    """Return the correlation id of the request that runs now; empty outside a request."""
    return _CURRENT.get()


def current_traceparent() -> str | None:
    """Return the W3C trace context that the caller of the request sent; None without a sound one."""
    return _TRACE.get()
