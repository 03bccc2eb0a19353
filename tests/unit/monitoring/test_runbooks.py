"""The runbooks as files: one for each alert, of one shape, and naming nothing that does not exist."""

import re
from functools import cache
from pathlib import Path

import pytest

from signal_pipeline.settings import Settings
from signal_pipeline.topology import ROLES
from tests.support.declared import exported_series
from tests.support.orders import parse_pipeline_command, unknown_targets
from tests.support.pipeline import ROOT
from tests.support.promql import metrics_of
from tests.support.rule_files import ALERTS, RECORDED
from tests.support.runbooks import RUNBOOKS, Runbook, for_ports_of, repairs

COMMANDS = tuple(dict.fromkeys(command for page in RUNBOOKS.values() for command in page.commands))
SECTIONS = ("What it means", "Diagnosis", "Repair", "Over when", "What it is not")
_MAKE = re.compile(r"(?<![\w./-])make (?P<words>[^|;&)`\"]+)")
_PIPELINE = re.compile(r"\.venv/bin/signal-pipeline (?P<words>[^|;&)`]+)")
_NESTED = re.compile(r'"\$\(.*\)"')
_GREP = re.compile(r"/metrics \| grep -E '\^\((?P<names>[^)]*)\)'")
_QUERY = re.compile(r"--data-urlencode 'query=(?P<expression>[^']*)'")
_RELATION = re.compile(r"\b(?:FROM|JOIN) (?P<name>[a-z_]+)")
_VACUUMED = re.compile(r"VACUUM \(ANALYZE\) (?P<names>[a-z_, ]+)")
_CALL = re.compile(r"\bSELECT (?P<name>[a-z_]+)\(\)")
_CREATED = re.compile(r"CREATE (?:OR REPLACE )?(?:TABLE|VIEW|FUNCTION) (\w+)")
_QUOTED = re.compile(r"`([^`\n]+)`")
_IDENTIFIER = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+")
# PostgreSQL's own.
_SYSTEM = re.compile(r"pg_\w+|now")
_ROLE = "{{ $labels.role }}"


def _page(alert: str) -> Runbook:
    return RUNBOOKS[Path(ALERTS[alert]["annotations"]["runbook_url"]).stem]


def test_every_alert_has_a_runbook_of_its_own_name() -> None:
    """The file is called as the alert, the rule names it, and no file is left of an alert that went."""
    slugs = {name: re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower() for name in ALERTS}
    named = {name: rule["annotations"]["runbook_url"] for name, rule in ALERTS.items()}
    assert named == {name: f"monitoring/runbooks/{slug}.md" for name, slug in slugs.items()}
    assert set(RUNBOOKS) == set(slugs.values())


@pytest.mark.parametrize("name", ALERTS)
def test_a_runbook_has_the_shape_of_all(name: str) -> None:
    """A heading with the alert's name and its meaning, then the sections in their order; short enough to be read."""
    page = _page(name)
    lines = page.text.splitlines()
    assert re.fullmatch(rf"# {name}: \S.+", lines[0])
    assert tuple(line[3:] for line in lines if line.startswith("## ")) == SECTIONS
    assert 25 <= len(lines) <= 70
    assert max(len(line) for line in page.prose.splitlines()) <= 120
    assert page.looks
    assert set(page.marks) <= {"sh", "sh repair"}


@pytest.mark.parametrize("name", ALERTS)
def test_a_runbook_begins_where_the_alert_says(name: str) -> None:
    """The first command of the alert is part of the diagnosis, so that nobody who followed it must start over."""
    first = " ".join(ALERTS[name]["annotations"]["description"].partition("First:")[2].split())
    wanted = {first.replace(_ROLE, role.name) for role in ROLES} if _ROLE in first else {first}
    diagnosis = _page(name).text.partition("## Repair")[0].splitlines()
    assert wanted & {line.removesuffix(" FOLLOW=no") for line in diagnosis}


def test_looks_and_repairs_are_told_apart() -> None:
    """No command that is known to change something stands among those that only look, and none is in both."""
    looking = {command for page in RUNBOOKS.values() for command in page.looks}
    changing = re.compile(
        r"make (up|down|clean|start-|stop-|emit-|load|debezium-config)|-X (POST|PUT|DELETE)"
        r"|\boutbox re|\boffsets (again|restore)|dlq replay"
        r"|signal-pipeline (migrate|topics|connector|emit|load)|terminate|VACUUM|clean_gin|analyze_pipeline\(|delete_"
    )
    assert [command for command in looking if changing.search(command)] == []
    assert [command for command in repairs() if not changing.search(command)] == []


def test_make_targets_exist() -> None:
    """Every make command, in fences and in prose, is one of the Makefile, about a service that there is."""
    texts = [*COMMANDS, *(quoted for page in RUNBOOKS.values() for quoted in _QUOTED.findall(page.prose))]
    words = [word for text in texts for found in _MAKE.finditer(text) for word in found["words"].split()]
    targets = {word for word in words if "=" not in word}
    assert len(targets) > 30
    assert unknown_targets(targets) == set()
    assert {word for word in words if "=" in word} == {"FOLLOW=no"}


def test_following_commands_end() -> None:
    """A log is printed and not followed: a command that never ends cannot be run in order."""
    assert [each for each in COMMANDS if "make logs" in each and "FOLLOW=no" not in each] == []


def test_pipeline_commands_exist() -> None:
    """The command line takes every command, with its options and arguments."""
    texts = [_NESTED.sub("X", each) for each in COMMANDS]
    texts += [nested[0] for each in COMMANDS for nested in [_NESTED.findall(each)] if nested]
    found = {match["words"] for text in texts for match in _PIPELINE.finditer(text)}
    assert len(found) > 8
    for words in found:
        parse_pipeline_command(words)


@cache
def _relations() -> frozenset[str]:
    return frozenset(name for path in (ROOT / "sql").rglob("*.sql") for name in _CREATED.findall(path.read_text()))


def test_tables_views_and_functions_exist() -> None:
    """Every statement reads what migrations and views make, or PostgreSQL's own."""
    statements = [command for command in COMMANDS if command.startswith("psql ")]
    named = {found["name"] for each in statements for found in (*_RELATION.finditer(each), *_CALL.finditer(each))}
    named |= {name for each in statements for found in _VACUUMED.finditer(each) for name in found["names"].split(", ")}
    assert len(named) > 10
    assert {name for name in named if not _SYSTEM.fullmatch(name)} - _relations() == set()


def test_metrics_exist() -> None:
    """Every series that a command looks for is declared, or recorded by a rule."""
    looked_for = {name for each in COMMANDS for found in _GREP.finditer(each) for name in found["names"].split("|")}
    asked = {name for each in COMMANDS for found in _QUERY.finditer(each) for name in metrics_of(found["expression"])}
    assert len(looked_for) > 20
    assert looked_for - exported_series() == set()
    assert asked
    assert asked - exported_series() - RECORDED.keys() == set()


@cache
def _names_of_the_source() -> frozenset[str]:
    files = [
        *(ROOT / "signal_pipeline").rglob("*.py"),
        *(ROOT / "sql").rglob("*.sql"),
        *(ROOT / "local").rglob("*.conf"),
    ]
    return frozenset(name for path in files for name in _IDENTIFIER.findall(path.read_text()))


def test_names_in_prose_exist() -> None:
    """What a page tells to look for, a log event, a code, a column, a metric, is still called so in the source."""
    quoted = {name for page in RUNBOOKS.values() for name in _QUOTED.findall(page.prose)}
    quoted = {name for name in quoted if _IDENTIFIER.fullmatch(name)}
    commands = {
        name for each in COMMANDS for name in _IDENTIFIER.findall(each)
    }  # columns that a statement names itself
    known = _names_of_the_source() | exported_series() | commands
    assert len(quoted) > 20
    assert {name for name in quoted if not _SYSTEM.fullmatch(name)} - known == set()


def test_settings_in_prose_exist() -> None:
    """Every setting that a page names is one of the product or of the Makefile."""
    ours = {name.upper() for name in Settings.model_fields} | {"COMPOSE_PROFILES"}
    quoted = {found for page in RUNBOOKS.values() for found in re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", page.prose)}
    assert len(quoted) > 5
    assert quoted - ours == set()


def test_alerts_in_prose_exist() -> None:
    """A page sends nobody to an alert that there is not."""
    named = {name for page in RUNBOOKS.values() for name in re.findall(r"\b(?:[A-Z][a-z]+){2,}\b", page.prose)}
    assert {name for name in named - ALERTS.keys() if not name.endswith("Error")} == set()  # those are exceptions
    assert len(named) > 25


def test_documented_ports_are_the_defaults() -> None:
    """Every address of a command has the default port of something; another port is an error."""
    moved = Settings(_env_file=None, port_offset=3000)
    assert for_ports_of("curl 127.0.0.1:8012/metrics", moved) == "curl 127.0.0.1:11012/metrics"
    assert for_ports_of("psql postgresql://a:b@127.0.0.1:5432/c", moved) == "psql postgresql://a:b@127.0.0.1:8432/c"
    with pytest.raises(KeyError, match="8099"):
        for_ports_of("curl 127.0.0.1:8099/", moved)
    for command in COMMANDS:
        for_ports_of(command, moved)
