"""Runs tests in a copy of the tree, and tells a failed test from a tree that is broken altogether."""

import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

__all__ = ["ROOT", "Outcome", "copy_of_the_tree", "outcome_of", "run_tests"]

ROOT = Path(__file__).resolve().parents[2]
_MOST_SECONDS = 600
# What the tests need and git does not know: the Python environment and the downloaded components.
_SHARED = (".venv", ".local/lib")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a test run showed.

    Attributes:
        passed: Number of tests that passed.
        failed: Names of those whose assertion, or code, failed.
        broken: Why the run proves nothing: errors outside a test's own body, or no report; empty when it does.
        seconds: How long it took.
    """

    passed: int
    failed: tuple[str, ...]
    broken: str
    seconds: float


@contextmanager
def copy_of_the_tree() -> Iterator[Path]:
    """Lend a copy of the working tree, changes that are not committed included."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    with TemporaryDirectory(prefix="signal-pipeline-mutants-") as folder:
        copy = Path(folder)
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, copy / name)
        for name in _SHARED:
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).symlink_to(ROOT / name)
        yield copy


def run_tests(tree: Path, tests: Sequence[str]) -> Outcome:
    """Run tests in a tree with this Python; what they print is dropped, their report is read."""
    report = tree / "report.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *tests]
    # The tree's own code must be imported, and no bytecode of it be kept: edits follow each other within a second.
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    started = time.monotonic()
    try:
        done = subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, text=True, timeout=_MOST_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as exc:
        return Outcome(passed=0, failed=(), broken=str(exc), seconds=_MOST_SECONDS)
    seconds = time.monotonic() - started
    if not report.exists():
        said = f"no report: {done.stdout[-500:]}{done.stderr[-500:]}"
        return Outcome(passed=0, failed=(), broken=said, seconds=seconds)
    return outcome_of(report.read_text(), seconds=seconds)


def outcome_of(report: str, *, seconds: float) -> Outcome:
    """Read a report in JUnit's format: `failure` is a test's own, `error` came from collecting or from a fixture."""
    cases = ET.fromstring(report).findall(".//testcase")  # noqa: S314  pytest wrote it just now
    failed = tuple(str(case.get("name")) for case in cases if case.find("failure") is not None)
    errors = [str(error.get("message")) for case in cases for error in case.findall("error")]
    broken = "; ".join(errors)[:500] if cases else "no test ran"
    passed = sum(case.find("failure") is None and case.find("error") is None for case in cases)
    return Outcome(passed=passed, failed=failed, broken=broken, seconds=seconds)
