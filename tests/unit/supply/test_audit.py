"""Known vulnerabilities: what a report means, and a real look-up where the advisory service can be reached."""

import json
from pathlib import Path

import pytest

from local.supply import audit as module
from local.supply.audit import EXIT_STATUS, audit, judge

KNOWN = {"name": "a", "version": "1", "vulns": []}
SKIPPED = {"name": "b", "skip_reason": "Dependency not found and could not be audited"}
FLAWED = {"name": "c", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}]}


def report(*dependencies: object) -> str:
    """Return pip-audit's output about dependencies."""
    return json.dumps({"dependencies": dependencies, "fixes": []})


@pytest.mark.parametrize(
    ("dependencies", "outcome"),
    [
        ((KNOWN,), "clean"),
        ((KNOWN, FLAWED), "vulnerable"),
        ((FLAWED, SKIPPED), "vulnerable"),
        ((KNOWN, SKIPPED), "unchecked"),
        ((SKIPPED,), "unchecked"),
        ((), "unchecked"),
    ],
)
def test_only_a_complete_answer_is_clean(dependencies: tuple[object, ...], outcome: str) -> None:
    """A vulnerability wins; without one, whatever the service did not know leaves the audit unchecked."""
    findings = judge(report(*dependencies))
    assert findings.outcome == outcome
    assert (EXIT_STATUS[outcome] == 0) == (outcome == "clean")


@pytest.mark.parametrize("text", ["", "Traceback", "[]", "{}", "null"])
def test_no_report_is_no_success(text: str) -> None:
    """Without a report the audit is unchecked, and says what pip-audit complained of."""
    findings = judge(text, "first line\nConnectionError: unreachable\n")
    assert (findings.outcome, findings.unchecked) == ("unchecked", ["ConnectionError: unreachable"])


def test_a_vulnerability_is_named_with_its_repair() -> None:
    """The line has distribution, version, advisory and the version that repairs it."""
    assert judge(report(FLAWED)).vulnerable == ["c 2: PYSEC-1, repaired in 2.1"]


def test_locks_are_judged_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """One vulnerable lock makes the whole vulnerable, whatever could not be checked elsewhere."""
    answers = {"runtime.txt": judge(report(SKIPPED)), "dev.txt": judge(report(KNOWN, FLAWED))}
    monkeypatch.setattr(module, "_audit_one", lambda lock: answers[lock.name])
    found = audit([Path("runtime.txt"), Path("dev.txt")])
    assert (found.outcome, found.checked, len(found.unchecked)) == ("vulnerable", 2, 1)


def test_nothing_locked_is_known_to_be_vulnerable() -> None:
    """Where the advisory service answers for all of the locks; elsewhere the test is skipped, and pytest says so."""
    findings = audit()
    if findings.outcome == "unchecked":
        pytest.skip(f"VULNERABILITIES NOT CHECKED: {len(findings.unchecked)} unknown, such as {findings.unchecked[0]}")
    assert findings.vulnerable == []
