"""The ids by which one request is followed through topics, tables and logs, and which texts are sound as one. Pure.

Senders choose them. What is carried on, written into other records or logged must therefore be short and harmless.
"""

import re
from typing import Final

__all__ = ["sound_correlation_id", "sound_traceparent", "trace_id_of"]

_CORRELATION_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")
# W3C Trace Context, version 00; neither id is all zeros.
_TRACEPARENT: Final = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def sound_correlation_id(value: object) -> str | None:
    """Return a value that is sound as a correlation id; None for any other."""
    return value if isinstance(value, str) and _CORRELATION_ID.fullmatch(value) else None


def sound_traceparent(value: object) -> str | None:
    """Return a value that is a W3C trace context; None for any other."""
    return value if isinstance(value, str) and _TRACEPARENT.fullmatch(value) else None


def trace_id_of(value: object) -> str | None:
    """Return the trace id in a W3C trace context; None when it is none.

    >>> trace_id_of("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    '4bf92f3577b34da6a3ce929d0e0e4736'
    """
    found = _TRACEPARENT.fullmatch(value) if isinstance(value, str) else None
    return found[1] if found else None
