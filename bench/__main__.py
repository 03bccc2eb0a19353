"""`make bench`: the arms take turns on one stage; the report is printed and written to `bench/results`.

stage ──▶ fill, pipeline drains ──▶ fill, per-row processor drains ──▶ … ──▶ medians, ranges ──▶ report
  └─────▶ requests of one event each, sharing writes and not ──▶ … ──────────────────┘
"""

import os
import platform
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import psycopg
import typer

from bench.one_event import send_one_by_one
from bench.per_row import GROUP
from bench.report import DELIVERY, ONE_BY_ONE, Circumstances, Run, report
from bench.stage import Stage, StageFailed, local, opened_stage
from signal_pipeline import __version__
from signal_pipeline.commands.screen import OUT
from signal_pipeline.topology import SIGNAL_EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable

_RESULTS: Final = Path(__file__).parent / "results"
_TRIGGER: Final = "process-signal-trigger"
_PIPELINE_GROUP: Final = "process-signal"
_PARTITIONS: Final = SIGNAL_EVENTS.partitions
_IN_FLIGHT: Final = 50

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    quick: Annotated[bool, typer.Option("--quick", help="three short rounds, less than 3 minutes")] = False,  # noqa: FBT002
) -> None:
    """Measure how many signals become rows in a second: in batches, one at a time, and one a request."""
    rounds, size = (3, 1) if quick else (7, 5)
    load_before = os.getloadavg()[0]
    try:
        with opened_stage() as stage:
            measured = {DELIVERY: _take_turns(stage, rounds, size), ONE_BY_ONE: _one_by_one(stage, rounds, size)}
    except StageFailed as exc:
        OUT.print(f"the benchmark failed: {exc}", style="red", markup=False)
        raise typer.Exit(1) from exc
    text = report(measured, _circumstances(load_before))
    _RESULTS.mkdir(exist_ok=True)
    target = _RESULTS / ("quick.md" if quick else "full.md")
    target.write_text(text)
    OUT.print(text, markup=False)
    OUT.print(f"written to {target.relative_to(Path.cwd())}", markup=False)


def _take_turns(stage: Stage, rounds: int, size: int) -> dict[str, list[Run]]:
    # The slower arm gets a smaller backlog: a rate needs seconds of work, not the same number of signals.
    arms: dict[str, tuple[Callable[[Stage, int], Run], int]] = {
        "signal-pipeline: trigger and function": (_pipeline, 60_000 * size),
        "per-row processor": (_per_row, 4_000 * size),
    }
    runs: dict[str, list[Run]] = {name: [] for name in arms}
    for number in range(rounds):
        for name, (arm, count) in arms.items():
            runs[name].append(arm(stage, count))
            _say(number, rounds, name, runs[name][-1])
    return runs


def _one_by_one(stage: Stage, rounds: int, size: int) -> dict[str, list[Run]]:
    shared = stage.settings.function_url("process-signal")
    with stage.function_without_coalescing() as alone:
        arms = {
            f"{in_flight} in flight, {'sharing writes' if url == shared else 'a write each'}": (url, in_flight, count)
            for in_flight, url, count in (
                (_PARTITIONS, shared, 2_000 * size),
                (_PARTITIONS, alone, 1_500 * size),
                (_IN_FLIGHT, shared, 6_000 * size),
                (_IN_FLIGHT, alone, 1_500 * size),
            )
        }
        runs: dict[str, list[Run]] = {name: [] for name in arms}
        for number in range(rounds):
            for name, (url, in_flight, count) in list(arms.items())[:: -1 if number % 2 else 1]:
                stage.empty()
                runs[name].append(send_one_by_one(url, count, in_flight))
                _say(number, rounds, name, runs[name][-1])
    return runs


def _say(number: int, rounds: int, name: str, run: Run) -> None:
    OUT.print(f"round {number + 1} of {rounds}, {name}: {run.per_second:,.0f} signals/s", markup=False)


def _pipeline(stage: Stage, count: int) -> Run:
    stage.skip([_PIPELINE_GROUP])
    stage.fill(count)
    local("start", _TRIGGER)
    try:
        return stage.measure(count)
    finally:
        local("stop", _TRIGGER)


def _per_row(stage: Stage, count: int) -> Run:
    stage.skip([GROUP])
    stage.fill(count)
    with stage.process("-m", "bench.per_row"):
        return stage.measure(count)


def _circumstances(load_before: float) -> Circumstances:
    names = [line.partition(":")[2].strip() for line in _lines(Path("/proc/cpuinfo")) if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    return Circumstances(
        machine=f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB",
        software=f"signal-pipeline {__version__} ({_commit()}), Python {platform.python_version()}, "
        f"psycopg {psycopg.__version__}",
        load_before=load_before,
    )


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _commit() -> str:
    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return found.stdout.strip() or "no commit"


if __name__ == "__main__":
    app()
