"""The alerts as dashboards see them: where their thresholds lie, how bad they are, where the runbook is.

A threshold stands in one place, the rule's expression; a dashboard draws that one.
"""

import math
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from local.layout import ROOT

__all__ = ["Alarm", "Step", "alarms"]

_RULES = ROOT / "monitoring" / "rules"
_NUMBER = r"\d+(?:\.\d+)?"
# The first comparison with a number, which may be written as a product: `> 25 * 3600`.
_COMPARISON = re.compile(rf"(?P<sign>[<>]=?|==)(?: bool)?\s*(?P<product>{_NUMBER}(?:\s*\*\s*{_NUMBER})*)")
_COLOURS = {"critical": "red", "warning": "orange"}
_FINE = "green"

Step = tuple[float | None, str]


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """One alert.

    Attributes:
        name: Its name.
        sign: The comparison that makes it fire.
        bound: The number it compares with; None when it compares series, of which nothing can be drawn.
        severity: `critical` or `warning`.
        runbook: Path of its runbook in the repository.
    """

    name: str
    sign: str
    bound: float | None
    severity: str
    runbook: str

    @property
    def steps(self) -> tuple[Step, ...]:
        """Grafana's thresholds: each colour holds from its value on, the first from minus infinity; none without one.

        A step includes its value: what fires above 0 must begin beyond 0, which everything that is well shows.
        """
        if self.bound is None:
            return ()
        colour, bound = _COLOURS[self.severity], self.bound or math.ulp(0.0)
        if self.sign == "==":  # only states are compared by equality: 0 is down, 1 is open
            return ((None, _FINE), (bound, colour)) if self.bound else ((None, colour), (1, _FINE))
        return ((None, _FINE), (bound, colour)) if self.sign.startswith(">") else ((None, colour), (bound, _FINE))


@cache
def alarms() -> dict[str, Alarm]:
    """Return every alert by its name."""
    files = sorted(_RULES.glob("*.yml"))
    groups = [group for path in files for group in yaml.safe_load(path.read_text())["groups"]]
    found = [_alarm(rule) for group in groups for rule in group["rules"] if "alert" in rule]
    return {alarm.name: alarm for alarm in found}


def _alarm(rule: dict[str, Any]) -> Alarm:
    sign, bound = _comparison(rule["expr"])
    return Alarm(
        name=rule["alert"],
        sign=sign,
        bound=bound,
        severity=rule["labels"]["severity"],
        runbook=rule["annotations"]["runbook_url"],
    )


def _comparison(expression: str) -> tuple[str, float | None]:
    """Return sign and number of the first comparison with a number."""
    found = _COMPARISON.search(expression)
    return (found["sign"], _product(found["product"])) if found else ("", None)


def _product(text: str) -> float:
    return math.prod(float(factor) for factor in text.split("*"))
