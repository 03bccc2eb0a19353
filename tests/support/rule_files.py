"""The alerts as files: their rules, and the looks that promtool takes at them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

from tests.support.pipeline import ROOT

__all__ = ["ALERTS", "MONITORING", "RECORDED", "RULE_TESTS", "Look", "looks_at_alerts", "role_is_told"]
__all__ += ["rule_groups"]

MONITORING: Final = ROOT / "monitoring"
RULE_TESTS: Final = sorted((MONITORING / "tests").glob("*.yml"))
# Without the state: that it is not even pending.
_FIRING: Final = re.compile(r'count by \(role\) \(ALERTS\{alertname="(\w+)"(, alertstate="firing")?\}\)')
_BY_ROLE: Final = re.compile(r"\bby \([^)]*\brole\b[^)]*\)")


def rule_groups() -> list[dict[str, Any]]:
    """Return the groups of all rules files."""
    files = sorted((MONITORING / "rules").glob("*.yml"))
    return [group for path in files for group in yaml.safe_load(path.read_text())["groups"]]


_RULES: Final[list[dict[str, Any]]] = [rule for group in rule_groups() for rule in group["rules"]]
ALERTS: Final = {rule["alert"]: rule for rule in _RULES if "alert" in rule}
RECORDED: Final = {rule["record"]: rule["expr"] for rule in _RULES if "record" in rule}


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a rule test expects of an alert at one moment.

    Attributes:
        alert: Its name.
        fires: Whether it fires then.
    """

    alert: str
    fires: bool


def looks_at_alerts() -> Iterator[Look]:
    """Yield every look of every rule test; `AssertionError` for one that asks for something else than firing alerts."""
    for path in RULE_TESTS:
        for case in yaml.safe_load(path.read_text())["tests"]:
            for asked in case["promql_expr_test"]:
                found = _FIRING.fullmatch(asked["expr"])
                assert found, f"{path.name}: {asked['expr']}"
                assert found[2] or not asked["exp_samples"], f"{path.name}: pending is not firing: {asked['expr']}"
                yield Look(alert=found[1], fires=bool(asked["exp_samples"]))


def role_is_told(rule: dict[str, Any]) -> bool:
    """Tell whether a firing alert has a label `role`: its own, or one by which what it reads is summed."""
    expression = rule["expr"]
    behind = [recorded for name, recorded in RECORDED.items() if name in expression]
    return "role" in rule["labels"] or any(_BY_ROLE.search(each) for each in (expression, *behind))
