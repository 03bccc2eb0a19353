"""Asks whether a locked dependency has a known vulnerability.

    pip-audit says                    outcome        exit status
    no vulnerability, all were known  clean          0
    a vulnerability                   vulnerable     1
    nothing, or not all were known    unchecked      3

Unchecked is no success: the advisory service could not be reached, or does not know the distributions.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from local.supply.locks import LOCKS

__all__ = ["EXIT_STATUS", "Findings", "audit", "judge"]

EXIT_STATUS = {"clean": 0, "vulnerable": 1, "unchecked": 3}
# Of one look-up; a run asks for about a hundred distributions, and an unreachable service must not hold a build up.
_LOOK_UP_SECONDS = 5
_RUN_SECONDS = 120


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What an audit found.

    Attributes:
        outcome: clean, vulnerable or unchecked.
        checked: How many distributions the service knew.
        vulnerable: A line for each vulnerability: distribution, version, advisory, versions that repair it.
        unchecked: A line for each distribution that the service did not know, or why nothing was asked at all.
    """

    outcome: Literal["clean", "vulnerable", "unchecked"]
    checked: int = 0
    vulnerable: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)


def audit(locks: Sequence[Path] = LOCKS[1:]) -> Findings:
    """Ask pip-audit about everything that the locks hold; the first is a part of the second."""
    found = [_audit_one(lock) for lock in locks]  # one by one: it takes no name twice, and two locks differ on purpose
    outcomes = {each.outcome for each in found}
    return Findings(
        outcome="vulnerable" if "vulnerable" in outcomes else "unchecked" if "unchecked" in outcomes else "clean",
        checked=sum(each.checked for each in found),
        vulnerable=sorted({line for each in found for line in each.vulnerable}),
        unchecked=sorted({line for each in found for line in each.unchecked}),
    )


def _audit_one(lock: Path) -> Findings:
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--require-hashes", "--disable-pip"]
    options = ["--format", "json", "--progress-spinner", "off", "--timeout", str(_LOOK_UP_SECONDS)]
    try:
        done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=_RUN_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return Findings(outcome="unchecked", unchecked=[f"no answer within {_RUN_SECONDS} s"])
    return judge(done.stdout, done.stderr)


def judge(report: str, complaint: str = "") -> Findings:
    """Decide what a report of pip-audit means.

    Args:
        report: Its output in JSON; empty when it failed.
        complaint: What it wrote to standard error.
    """
    try:
        dependencies = json.loads(report)["dependencies"]
    except (ValueError, KeyError, TypeError):
        reason = complaint.strip().splitlines() or ["pip-audit said nothing"]
        return Findings(outcome="unchecked", unchecked=[reason[-1]])
    vulnerable = [_advisory(each, found) for each in dependencies for found in each.get("vulns", ())]
    unknown = [f"{each['name']}: {each['skip_reason']}" for each in dependencies if "skip_reason" in each]
    incomplete = bool(unknown) or not dependencies
    return Findings(
        outcome="vulnerable" if vulnerable else "unchecked" if incomplete else "clean",
        checked=len(dependencies) - len(unknown),
        vulnerable=sorted(set(vulnerable)),
        unchecked=sorted(set(unknown)),
    )


def _advisory(dependency: dict[str, str], found: dict[str, list[str]]) -> str:
    repaired = ", ".join(found.get("fix_versions", ())) or "no version"
    return f"{dependency['name']} {dependency['version']}: {found['id']}, repaired in {repaired}"
