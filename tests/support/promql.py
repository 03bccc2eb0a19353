"""Expressions of Prometheus, as Grafana sends them and as a reader sees them."""

import re
import urllib.parse

from tests.support.http import request_json

__all__ = ["Sample", "ask", "for_prometheus", "metrics_of"]

Sample = tuple[dict[str, str], float]


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


def ask(port: int, expression: str) -> list[Sample]:
    """Return labels and value of each series that a Prometheus of this machine has for an expression now."""
    arguments = urllib.parse.urlencode({"query": expression})
    address = f"http://127.0.0.1:{port}/api/v1/query?{arguments}"
    return [(each["metric"], float(each["value"][1])) for each in request_json(address)["data"]["result"]]
