"""Rules and rule tests as Prometheus' own tool reads them; every alert says whom it is about and what to do first."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from signal_pipeline.topology import ROLES
from tests.support.orders import unknown_targets
from tests.support.rule_files import ALERTS, MONITORING, RULE_TESTS, looks_at_alerts, role_is_told

_FIRST = re.compile(r"First:\s+make (?P<target>(?:\{\{ \$labels\.role }}|\S)+)$")
_LABEL = re.compile(r"\{\{ \$labels\.role }}")


def promtool(*words: str | Path) -> str:
    """Run Prometheus' own tool, which succeeds, and return what it says."""
    done = subprocess.run(["promtool", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_takes_the_configuration() -> None:
    """The configuration is valid and finds every file of rules."""
    said = promtool("check", "config", MONITORING / "prometheus.yml")
    files = list((MONITORING / "rules").glob("*.yml"))
    assert files
    assert f"{len(files)} rule files found" in said


def test_prometheus_takes_the_rules() -> None:
    """Each rule is valid, and none stands there twice."""
    said = promtool("check", "rules", *sorted((MONITORING / "rules").glob("*.yml")))
    assert "duplicate" not in said.lower()


@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.stem)
def test_alerts_fire_when_they_should_and_not_otherwise(path: Path) -> None:
    """Every look of the file finds what it expects."""
    assert "SUCCESS" in promtool("test", "rules", path)


def test_every_alert_is_looked_at_when_it_fires_and_when_it_must_not() -> None:
    """At least two looks an alert, of which one finds it firing and one does not."""
    seen: dict[str, set[bool]] = {}
    for look in looks_at_alerts():
        seen.setdefault(look.alert, set()).add(look.fires)
    assert seen == {alert: {True, False} for alert in ALERTS}


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_bad_it_is_whom_it_is_about_and_what_happened(name: str) -> None:
    """Severity, role, a summary and a description are there; nothing else is, so that no label is misspelt."""
    rule: dict[str, Any] = ALERTS[name]
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["labels"].keys() <= {"severity", "role"}
    assert rule["labels"].get("role") in {None, *(role.name for role in ROLES)}
    assert role_is_told(rule)
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
    assert all(text.strip() for text in rule["annotations"].values())


@pytest.mark.parametrize("name", ALERTS)
def test_the_first_command_of_an_alert_exists(name: str) -> None:
    """The description ends with a make command of the Makefile, for whatever role the alert is about."""
    found = _FIRST.search(ALERTS[name]["annotations"]["description"])
    assert found, name
    assert unknown_targets(_for_every_role(found["target"])) == set()


def _for_every_role(target: str) -> Iterator[str]:
    yield from (_LABEL.sub(role.name, target) for role in ROLES if role.trigger_port)
