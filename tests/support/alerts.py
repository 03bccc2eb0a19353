"""The alerts: what the rules files say about each, and which of them a Prometheus of this machine shows now."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from tests.support.http import request_json
from tests.support.pipeline import ROOT
from tests.support.promql import metrics_of

__all__ = ["SLACK_SECONDS", "Alert", "Rule", "active_alerts", "alert_rules", "rule_groups", "runbook_of"]

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
    rules = [rule for group in rule_groups() for rule in group["rules"]]
    recorded = {rule["record"]: rule["expr"] for rule in rules if "record" in rule}
    return {rule["alert"]: _rule(rule, recorded) for rule in rules if "alert" in rule}


def rule_groups() -> list[dict[str, Any]]:
    """Return the groups of all rules files."""
    files = sorted((ROOT / "monitoring" / "rules").glob("*.yml"))
    return [group for path in files for group in yaml.safe_load(path.read_text())["groups"]]


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


def _rule(rule: dict[str, Any], recorded: dict[str, str]) -> Rule:
    return Rule(
        name=rule["alert"],
        severity=rule["labels"]["severity"],
        runbook=rule["annotations"]["runbook_url"],
        window_seconds=max(_windows(rule["expr"], recorded), default=0),
        hold_seconds=_seconds(rule.get("for", "0s")),
    )


def _windows(expression: str, recorded: dict[str, str]) -> Iterator[float]:
    yield from (_seconds(text) for text in _WINDOW.findall(expression))
    for name in metrics_of(expression) & recorded.keys():
        yield from _windows(recorded[name], recorded)


def _seconds(duration: str) -> float:
    return sum(int(number) * _UNITS[unit] for number, unit in _DURATION.findall(duration))
