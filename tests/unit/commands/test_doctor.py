"""The runner of `doctor` and what it prints: checks stand for themselves, and the worst finding decides."""

import json
import threading
from collections.abc import Sequence

import pytest

from signal_pipeline.commands import doctor
from signal_pipeline.commands.doctor import run_doctor
from signal_pipeline.commands.doctor_findings import Check, Finding, Level, examine, good, worst
from signal_pipeline.errors import DependencyUnavailable
from signal_pipeline.settings import Settings

SETTINGS = Settings(_env_file=None)


def unreachable(_: Settings) -> Sequence[Finding]:
    """Fail as a check does whose server is down."""
    raise DependencyUnavailable("PostgreSQL does not answer at 127.0.0.1:5432; start the pipeline with: make up")


def broken(_: Settings) -> Sequence[Finding]:
    """Fail as a check does that is wrong itself."""
    raise KeyError("version")


def finding(level: Level, fix: str = "") -> Finding:
    """Return a finding of a level."""
    return Finding(level=level, what=f"a {level}", fix=fix)


def test_a_server_that_is_down_hides_nothing_else() -> None:
    """A check that cannot look is a fault that names the start of what it needs; the others have their findings."""
    checks = [
        Check(name="schema", look=unreachable, needs="postgres"),
        Check(name="topics", look=lambda _: good("all there")),
        Check(name="connector", look=broken, needs="connect"),
    ]
    assert examine(checks, SETTINGS, seconds=5) == {
        "schema": (
            Finding(
                level=Level.FAULT,
                what="cannot be checked: PostgreSQL does not answer at 127.0.0.1:5432",
                fix="make start-postgres",
            ),
        ),
        "topics": (Finding(level=Level.OK, what="all there"),),
        "connector": (Finding(level=Level.FAULT, what="cannot be checked: 'version'", fix="make start-connect"),),
    }


def test_a_check_that_hangs_is_left_behind() -> None:
    """A server that accepts and says nothing costs the time that all checks have together, and is a fault."""
    never = threading.Event()

    def hang(_: Settings) -> Sequence[Finding]:
        never.wait()
        return ()

    checks = [Check(name="a", look=hang, needs="kafka"), Check(name="b", look=lambda _: good("well"))]
    found = examine(checks, SETTINGS, seconds=0.1)
    never.set()
    assert [(name, each.level, each.fix) for name, (each,) in found.items()] == [
        ("a", Level.FAULT, "make start-kafka"),
        ("b", Level.OK, ""),
    ]


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ([], Level.OK),
        ([Level.OK, Level.HINT], Level.HINT),
        ([Level.WARNING, Level.HINT], Level.WARNING),
        ([Level.FAULT, Level.WARNING], Level.FAULT),
    ],
)
def test_the_worst_finding_counts(levels: list[Level], expected: Level) -> None:
    """A fault is worse than a warning, a warning than a hint, a hint than nothing."""
    assert worst([finding(level) for level in levels]) is expected


@pytest.mark.parametrize("level", list(Level))
def test_only_a_fault_fails(level: Level, monkeypatch: pytest.MonkeyPatch) -> None:
    """Warnings and hints are told; the command fails for faults alone."""
    monkeypatch.setattr(doctor, "CHECKS", (Check(name="one", look=lambda _: [finding(level)]),))
    assert run_doctor(SETTINGS, as_json=True) is (level is not Level.FAULT)


def test_json_has_each_finding(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` is one document with the worst level and every finding of every check."""
    monkeypatch.setattr(
        doctor, "CHECKS", (Check(name="one", look=lambda _: [finding(Level.HINT), finding(Level.WARNING, "make it")]),)
    )
    run_doctor(SETTINGS, as_json=True)
    assert json.loads(capsys.readouterr().out) == {
        "level": "warning",
        "checks": [
            {"check": "one", "level": "hint", "finding": "a hint", "fix": ""},
            {"check": "one", "level": "warning", "finding": "a warning", "fix": "make it"},
        ],
    }


def test_a_command_is_told_once_the_urgent_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two checks with the same repair share a line that can be pasted; repairs of faults come before others."""
    checks = (
        Check(name="one", look=lambda _: [finding(Level.WARNING, "make later")]),
        Check(name="two", look=lambda _: [finding(Level.FAULT, "make now")]),
        Check(name="three", look=lambda _: [finding(Level.FAULT, "make now")]),
    )
    monkeypatch.setattr(doctor, "CHECKS", checks)
    run_doctor(SETTINGS, as_json=False)
    shown = capsys.readouterr().out.splitlines()
    assert shown[-2:] == ["  make now  # two, three", "  make later  # one"]
