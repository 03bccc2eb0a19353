"""The tree is what its documents say: map, layers, sizes, metrics, settings, libraries."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from signal_pipeline.settings import Settings

ROOT = Path(__file__).parents[2]
METRICS_HOME = ROOT / "signal_pipeline" / "observability" / "metrics"
MOST_LINES = 300
MOST_BODY_LINES = 40
# Names and meanings are fixed for dashboards and alerts.
METRICS = {
    "emit": ["signals_produced_total", "produce_errors_total", "produce_latency_seconds"],
    "process-signal": [
        "signals_consumed_total",
        "db_write_failures_total",
        "processing_latency_seconds",
        "consumer_lag",
        "signals_dlq_total",
    ],
    "detect-anomaly": [
        "anomalies_detected_total",
        "detection_latency_seconds",
        "outbox_events_total",
        "outbox_write_failures_total",
    ],
    "replay-dlq": [
        "dlq_messages_processed_total",
        "dlq_messages_replayed_total",
        "dlq_messages_failed_total",
        "dlq_recovery_latency_seconds",
        "dlq_queue_size",
        "dlq_retry_attempts_total",
    ],
}
LIBRARIES = [
    "functions_framework",
    "cloudevents",
    "confluent_kafka",
    "psycopg",
    "pg8000",
    "prometheus_client",
    "pydantic",
    "jwt",
]
# In two parts, so that this file is no hit of its own.
FOREIGN = [
    "pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".org", "maven" + ".org", "proxy.golang" + ".org",
    "/" + "root/", "/" + "work/", "/" + "tmp/w",
]  # fmt: skip


def tracked() -> list[Path]:
    """Return the files of the repository, without those that are only on this machine."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def python_files(*folders: str) -> list[Path]:
    """Return the tracked Python files below folders, or all of them."""
    files = [path for path in tracked() if path.suffix == ".py"]
    return [path for path in files if not folders or path.relative_to(ROOT).parts[0] in folders]


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the name of each function and the lines of its body, without its docstring."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            if body:
                yield f"{path.relative_to(ROOT)}:{node.name}", (body[-1].end_lineno or 0) - body[0].lineno + 1


def test_the_map_names_every_folder() -> None:
    """Each top-level folder and each package has a row in the map, and no row names what is not there."""
    named = set(re.findall(r"^\| `([^`]+)/` \|", (ROOT / "ARCHITECTURE.md").read_text(), re.MULTILINE))
    folders = {path.relative_to(ROOT).parts[:-1] for path in tracked()}
    top = {parts[0] for parts in folders if parts and not parts[0].startswith(".")}
    packages = {"/".join(parts[:2]) for parts in folders if len(parts) > 1 and parts[0] == "signal_pipeline"}
    assert named == top | packages


def test_files_the_map_names_exist() -> None:
    """Every file that the text names is there, from the root or inside the library."""
    names = set(re.findall(r"`([a-z_/]+\.(?:py|md|yaml|sql|toml))`", (ROOT / "ARCHITECTURE.md").read_text()))
    missing = [name for name in names if not any((base / name).is_file() for base in (ROOT, ROOT / "signal_pipeline"))]
    assert missing == []


def test_files_are_short() -> None:
    """No file has more than 300 lines."""
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in python_files()}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


def test_functions_are_short() -> None:
    """No function has more than 40 lines, and nine of ten have at most 25."""
    found = dict(pair for path in python_files() for pair in functions(path))
    assert {name: length for name, length in found.items() if length > MOST_BODY_LINES} == {}
    assert sorted(found.values())[len(found) * 9 // 10] <= 25


def test_entries_hold_no_logic() -> None:
    """The entry of a function has at most 40 lines, and nothing imports from it."""
    for path in python_files("functions"):
        assert len(path.read_text().splitlines()) <= 40, path
    imports = re.compile(r"^(from|import) functions\b", re.MULTILINE)
    assert [path for path in python_files() if imports.search(path.read_text())] == []


def test_nothing_tells_of_a_machine() -> None:
    """No file names a package registry's host or a path of the machine it was written on."""
    hits = []
    for path in tracked():
        text = path.read_bytes().decode(errors="ignore")
        hits += [f"{path.relative_to(ROOT)}: {word}" for word in FOREIGN if word in text]
    assert hits == []


def test_layers() -> None:
    """Imports point one way, and the domain is pure."""
    command = str(Path(sys.executable).with_name("lint-imports"))
    done = subprocess.run([command, "--no-cache"], cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", [name for names in METRICS.values() for name in names])
def test_each_metric_is_declared_once(name: str) -> None:
    """A metric's name stands in one place of the product, where all metrics are declared."""
    declared = re.compile(rf'(?:Counter|Gauge|Histogram)\(\s*"{name}"')
    places = [path.parent for path in python_files("signal_pipeline") for _ in declared.findall(path.read_text())]
    assert places == [METRICS_HOME]


def test_metrics_have_one_home() -> None:
    """Nothing but the package of metrics makes any."""
    makers = re.compile(r"^from prometheus_client import (.*)$", re.MULTILINE)
    elsewhere = {
        str(path.relative_to(ROOT)): names
        for path in python_files("signal_pipeline", "functions", "local")
        if path.parent != METRICS_HOME
        for names in makers.findall(path.read_text())
        if re.search("Counter|Gauge|Histogram|Summary", names)
    }
    assert elsewhere == {}


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_libraries_are_used(library: str) -> None:
    """Each library that the product is built on is imported by code that is shipped."""
    pattern = re.compile(rf"^\s*(from|import) {library}\b", re.MULTILINE)
    shipped = python_files("signal_pipeline", "functions", "examples")
    assert any(pattern.search(path.read_text()) for path in shipped)


def test_every_setting_is_documented() -> None:
    """.env.example has each setting once, and nothing that is no setting."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    named = [match[1] for line in lines if (match := re.match(r"#?([A-Z][A-Z0-9_]*)=", line))]
    assert sorted(named) == sorted(name.upper() for name in Settings.model_fields)


def test_tests_say_what_they_specify() -> None:
    """Every test has a docstring of its own."""
    silent, seen = [], []
    for path in python_files("tests"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                seen.append(node.name)
                if not ast.get_docstring(node):
                    silent.append(f"{path.relative_to(ROOT)}:{node.name}")
    assert seen
    assert silent == []


def test_decisions_are_numbered_without_gaps() -> None:
    """Decision records are numbered from one."""
    numbers = sorted(int(path.name[:4]) for path in tracked() if path.parent == ROOT / "docs" / "adr")
    assert all(later == earlier + 1 for earlier, later in pairwise(numbers))
