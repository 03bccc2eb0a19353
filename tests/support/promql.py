"""Expressions of Prometheus, as Grafana sends them and as a reader sees them."""

import re

__all__ = ["for_prometheus", "metrics_of"]


def for_prometheus(expression: str, *, interval: str = "1m") -> str:
    """Return what Grafana would send with every role chosen."""
    return expression.replace("$__rate_interval", interval).replace("$role", ".+")


_NO_METRIC = re.compile(
    r'"(?:\\.|[^"\\])*"|\{[^}]*\}|\[[^\]]*\]|\boffset\s+\w+|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)'
)
_NAME = re.compile(r"[a-zA-Z_:][\w:]*(?![\w:]*\s*\()")
_WORDS = {"and", "or", "unless", "bool", "offset"}


def metrics_of(expression: str) -> set[str]:
    """Return the names of the series that a PromQL expression reads."""
    bare = expression
    while (shorter := _NO_METRIC.sub(" ", bare)) != bare:
        bare = shorter
    return set(_NAME.findall(bare)) - _WORDS
