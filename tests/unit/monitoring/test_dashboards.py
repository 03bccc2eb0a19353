"""The dashboards as files: Grafana knows every field, every query parses and reads what somebody exports."""

import json
import re
import subprocess
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest
import yaml

from local.dashboards import DASHBOARDS
from local.dashboards.alarms import Alarm, alarms
from local.layout import ROOT
from signal_pipeline.topology import ROLES
from tests.support.declared import declared_families, exported_series
from tests.support.grafana import (
    DASHBOARD_FILES,
    Grid,
    PanelModel,
    TextModel,
    board,
)
from tests.support.promql import for_prometheus, metrics_of

BOARDS = {path.stem: board(path) for path in DASHBOARD_FILES}
PANELS = [(name, panel) for name, each in BOARDS.items() for panel in each.with_data()]
EXPRESSIONS = [target.expr for _, panel in PANELS for target in panel.targets]
RULES = [
    rule
    for path in sorted((ROOT / "monitoring" / "rules").glob("*.yml"))
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
]
# What Prometheus itself says about its targets and rules.
OF_PROMETHEUS = {"up", "ALERTS"}


def _label(pair: tuple[str, PanelModel]) -> str:
    return f"{pair[0]}: {pair[1].title}"


def test_the_dashboards_are_there() -> None:
    """Each has its own uid and title, which bookmarks and links hold; no file is left of one that went."""
    assert {each.uid for each in BOARDS.values()} == {f"signal-{name}" for name in BOARDS}
    assert BOARDS.keys() == {"overview", "trigger", "database", "outbox", "dead-letters", "security", "runbooks"}
    assert len({each.title for each in BOARDS.values()}) == len(BOARDS)


@pytest.mark.parametrize("name", BOARDS)
def test_panels_have_their_own_number_and_place(name: str) -> None:
    """No two panels have the same id, none covers another, none leaves the grid of 24 columns."""
    panels = BOARDS[name].panels
    assert [number for number, times in Counter(panel.id for panel in panels).items() if times > 1] == []
    assert [each.title for each in panels if each.gridPos.x + each.gridPos.w > 24] == []
    assert [(a.title, b.title) for a, b in combinations(panels, 2) if _overlap(a.gridPos, b.gridPos)] == []


def _overlap(one: Grid, other: Grid) -> bool:
    beside = one.x + one.w <= other.x or other.x + other.w <= one.x
    above = one.y + one.h <= other.y or other.y + other.h <= one.y
    return not (beside or above)


def test_the_overview_begins_with_throughput_latency_and_lag() -> None:
    """What is asked first stands first, in one row; the flow is the next row, in its order."""
    panels = list(BOARDS["overview"].with_data())
    assert [panel.title for panel in panels[:4]] == [
        "Throughput", "Latency", "Consumer lag, events", "Consumer lag, age",
    ]  # fmt: skip
    assert {panel.gridPos.y for panel in panels[:4]} == {1}
    stages = ("emit", "signal-events", "process-signal", "detect-anomaly", "Outbox", "anomaly-events", "confirm-outbox")
    assert tuple(panel.title.split()[0] for panel in panels[4:11]) == stages
    assert len({panel.gridPos.y for panel in panels[4:11]}) == 1


def test_every_query_parses(tmp_path: Path) -> None:
    """Prometheus' own tool takes each expression, with Grafana's variables filled in."""
    rules = [{"record": f"query:{number}", "expr": for_prometheus(each)} for number, each in enumerate(EXPRESSIONS)]
    (tmp_path / "queries.yml").write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    checked = subprocess.run(
        ["promtool", "check", "rules", str(tmp_path / "queries.yml")], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(EXPRESSIONS)} rules found" in checked.stdout


@pytest.mark.parametrize("pair", PANELS, ids=_label)
def test_every_query_reads_what_is_exported(pair: tuple[str, PanelModel]) -> None:
    """Each series is declared as a metric, recorded by a rule, or Prometheus' own."""
    recorded = {rule["record"] for rule in RULES if "record" in rule}
    named = set().union(*(metrics_of(target.expr) for target in pair[1].targets))
    assert named
    assert named - exported_series() - recorded - OF_PROMETHEUS == set()


def test_roles_and_classes_in_queries_exist() -> None:
    """A query that picks a role by name picks one that there is."""
    named = {name for each in EXPRESSIONS for text in re.findall(r'role=~?"([^"]+)"', each) for name in text.split("|")}
    assert named
    assert named <= {role.name for role in ROLES} | {"$role"}


def test_names_are_found_in_expressions() -> None:
    """The reading of expressions finds series and nothing else."""
    found = metrics_of('sum by (role, le) (rate(a_bucket{b="c{d}"}[5m])) / on (role) e:f:g or 0 * max(h offset 5m) > 1')
    assert found == {"a_bucket", "e:f:g", "h"}


@pytest.mark.parametrize("name", BOARDS)
def test_variables_are_declared_exactly_when_they_are_used(name: str) -> None:
    """No choice is without effect, and no query has a variable that is not offered."""
    each = BOARDS[name]
    text = " ".join(target.expr for panel in each.with_data() for target in panel.targets)
    used = set(re.findall(r"\$(\w+)", text)) - {"__rate_interval"}
    assert {variable.name for variable in each.templating.list} == used | ({"datasource"} if text else set())


@pytest.mark.parametrize("pair", PANELS, ids=_label)
def test_nothing_known_is_not_shown_as_zero(pair: tuple[str, PanelModel]) -> None:
    """A present value is asked for now, and NaN or no series is a text; a graph keeps its gaps; no query makes a 0."""
    panel = pair[1]
    defaults = panel.fieldConfig.defaults.model_dump()
    over_time = panel.type == "timeseries"
    assert [(target.range, target.instant) for target in panel.targets] == [(over_time, not over_time)] * len(
        panel.targets
    )
    if over_time:
        assert defaults["custom"]["spanNulls"] is False
    elif panel.type == "table":
        assert defaults["mappings"] == []  # an empty cell is a label that a series does not have
    else:
        absent = {"match": "null+nan", "result": {"text": defaults["noValue"], "color": "text", "index": 0}}
        assert {"type": "special", "options": absent} in defaults["mappings"]
    assert not any("vector(0)" in target.expr for target in panel.targets)


def test_what_nobody_knows_becomes_no_number(tmp_path: Path) -> None:
    """When every gauge is NaN, no query for a present value gives a number: not 0, and not the sum of what is left."""
    gauges = [family.name for family in declared_families() if family.type == "gauge"]
    queries = [
        re.sub(r"\{[^}]*\}", "", target.expr) for _, panel in PANELS for target in panel.targets if target.instant
    ]
    asked = [each for each in queries if metrics_of(each) <= set(gauges)]
    assert len(asked) > 20
    # NaN is the one value that does not equal itself.
    numbers = [{"expr": f"({each}) == ({each})", "eval_time": "1m", "exp_samples": []} for each in asked]
    series = [{"series": name, "values": " ".join(["NaN"] * 8)} for name in gauges]
    case = {"interval": "15s", "input_series": series, "promql_expr_test": numbers}
    (tmp_path / "test.yml").write_text(json.dumps({"rule_files": [], "tests": [case]}))
    tested = subprocess.run(
        ["promtool", "test", "rules", str(tmp_path / "test.yml")], capture_output=True, text=True, check=False
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_links_lead_to_dashboards_that_exist() -> None:
    """Every link of a panel opens one of the dashboards."""
    paths = {link.url.partition("?")[0] for _, panel in PANELS for link in panel.links}
    assert paths
    assert paths <= {f"/d/{each.uid}" for each in BOARDS.values()}


def test_a_runbook_is_one_click_away() -> None:
    """Every file is a page of Grafana, and the panels whose alerts it is about open that page."""
    pages = {panel.title: panel for panel in BOARDS["runbooks"].panels if isinstance(panel, TextModel)}
    files = {
        file.relative_to(ROOT).as_posix(): file.read_text() for file in (ROOT / "monitoring/runbooks").glob("*.md")
    }
    assert {f"# {page.title}\n\n{page.options.content}" for page in pages.values()} == set(files.values())
    wanted = {
        f"Runbook: {rule['alert']}": pages[files[rule["annotations"]["runbook_url"]].partition("\n")[0][2:]].id
        for rule in RULES
        if rule.get("annotations", {}).get("runbook_url") in files
    }
    found = {link.title: link.url for _, panel in PANELS for link in panel.links if link.title.startswith("Runbook")}
    assert found == {title: f"/d/signal-runbooks?viewPanel=panel-{number}" for title, number in wanted.items()}


def test_every_alert_is_on_a_panel_with_its_runbook() -> None:
    """Whoever is called finds what the alert watches, and the runbook's path beside it."""
    texts = "\n".join(panel.description for _, panel in PANELS)
    alerts = {rule["alert"]: rule["annotations"]["runbook_url"] for rule in RULES if "alert" in rule}
    assert [name for name, runbook in alerts.items() if f"- {name}: `{runbook}`" not in texts] == []


@pytest.mark.parametrize(
    ("sign", "bound", "severity", "steps"),
    [
        (">", 10_000.0, "warning", ((None, "green"), (10_000.0, "orange"))),
        (">", 0.0, "critical", ((None, "green"), (5e-324, "red"))),
        (">=", 1.0, "warning", ((None, "green"), (1.0, "orange"))),
        ("<", 1024.0, "critical", ((None, "red"), (1024.0, "green"))),
        ("==", 0.0, "critical", ((None, "red"), (1, "green"))),
        ("==", 1.0, "critical", ((None, "green"), (1.0, "red"))),
    ],
)
def test_colours_change_where_the_alert_fires(
    sign: str, bound: float, severity: str, steps: tuple[tuple[float | None, str], ...]
) -> None:
    """What fires has the colour of its severity, what does not is green; 0 is green when anything above it fires."""
    assert Alarm(name="a", sign=sign, bound=bound, severity=severity, runbook="r").steps == steps


def test_a_threshold_is_drawn_where_the_alert_looks() -> None:
    """A panel takes its colours from an alert on the same series; an alert on whether they are known draws nothing."""
    expressions = {rule["alert"]: rule["expr"] for rule in RULES if "alert" in rule}
    drawn = [panel for each in DASHBOARDS for row in each.rows for panel in row.panels if panel.alarm]
    assert drawn
    for panel in drawn:
        alert = expressions[str(panel.alarm)]
        shown = set().union(*(_series(query) for query in panel.queries.values()))
        assert shown & _series(alert), panel.title
        assert "!=" not in re.sub(r"\{[^}]*\}", "", alert), panel.title


def _series(expression: str) -> set[str]:
    """Return the exported series behind an expression, those of recording rules included."""
    recorded = {rule["record"]: rule["expr"] for rule in RULES if "record" in rule}
    names = metrics_of(expression)
    return set().union(*(metrics_of(recorded[name]) if name in recorded else {name} for name in names))


def test_thresholds_are_those_of_the_rules() -> None:
    """The bounds come out of the rules' expressions, products and all."""
    expressions = {rule["alert"]: rule["expr"] for rule in RULES if "alert" in rule}
    for name, text, sign, bound in (
        ("ConsumerLagHigh", "> 10000", ">", 10_000),
        ("ConsumerLagOld", "> 60", ">", 60),
        ("AuditStale", "> 25 * 3600", ">", 90_000),
        ("RoleDown", "== 0", "==", 0),
        ("ReplicationSlotNearlyLost", "< 1024 * 1024 * 1024", "<", 2**30),
    ):
        assert expressions[name].endswith(text)
        assert (alarms()[name].sign, alarms()[name].bound) == (sign, bound)
