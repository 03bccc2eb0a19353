"""The alerts: what the rules files say about each, and which of them a Prometheus of this machine shows now."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.support.http import request_json
from tests.support.promql import metrics_of
from tests.support.rule_files import ALERTS, RECORDED

__all__ = ["SLACK_SECONDS", "Alert", "Rule", "active_alerts", "alert_rules", "runbook_of"]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"(\d+)([smhd])")
_WINDOW = re.compile(r"\[((?:\d+[smhd])+)\]")
# From a change to the alert: the role looks (5 s), the scrape (5 s), the recorded series (5 s), the alert (5 s); and
# `for` ends with the next evaluation (5 s). The rest is for a machine that does other work besides.
SLACK_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Rule:
    """An alert as its file declares it.

    Attributes:
        name: Its name.
        severity: How bad it is.
        runbook: Where it says what to do is written.
        window_seconds: How far its expression looks back, recorded series included.
        hold_seconds: How long the expression must hold before it fires.
    """

    name: str
    severity: str
    runbook: str
    window_seconds: float
    hold_seconds: float


@dataclass(frozen=True, kw_only=True, order=True)
class Alert:
    """An alert that is pending or firing.

    Attributes:
        name: Its name.
        role: The role that it is about; empty without one.
        severity: How bad it is.
        runbook: Where it says what to do is written.
        firing: Whether it fires; else its time has not come.
        value: What its expression gave.
    """

    name: str
    role: str
    severity: str
    runbook: str
    firing: bool
    value: str


def active_alerts(port: int) -> list[Alert]:
    """Return what the Prometheus on a port shows, in order of their names."""
    found = request_json(f"http://127.0.0.1:{port}/api/v1/alerts")["data"]["alerts"]
    return sorted(_alert(each) for each in found)


@cache
def alert_rules() -> dict[str, Rule]:
    """Return every alert of the rules files by its name."""
    return {name: _rule(rule) for name, rule in ALERTS.items()}


def runbook_of(name: str) -> str:
    """Return where an alert's runbook has to be.

    >>> runbook_of("ConsumerLagHigh")
    'monitoring/runbooks/consumer-lag-high.md'
    """
    return f"monitoring/runbooks/{re.sub(r'(?<!^)(?=[A-Z])', '-', name).lower()}.md"


def _alert(shown: dict[str, Any]) -> Alert:
    labels = shown["labels"]
    return Alert(
        name=labels["alertname"],
        role=labels.get("role", ""),
        severity=labels["severity"],
        runbook=shown["annotations"]["runbook_url"],
        firing=shown["state"] == "firing",
        value=shown["value"],
    )


def _rule(rule: dict[str, Any]) -> Rule:
    return Rule(
        name=rule["alert"],
        severity=rule["labels"]["severity"],
        runbook=rule["annotations"]["runbook_url"],
        window_seconds=max(_windows(rule["expr"]), default=0),
        hold_seconds=_seconds(rule.get("for", "0s")),
    )


def _windows(expression: str) -> Iterator[float]:
    yield from (_seconds(text) for text in _WINDOW.findall(expression))
    for name in metrics_of(expression) & RECORDED.keys():
        yield from _windows(RECORDED[name])


def _seconds(duration: str) -> float:
    return sum(int(number) * _UNITS[unit] for number, unit in _DURATION.findall(duration))
