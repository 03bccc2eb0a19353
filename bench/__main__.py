"""`make bench`: the arms take turns on one stage; the report is printed and written to `bench/results`.

stage ──▶ fill, pipeline drains ──▶ fill, per-row processor drains ──▶ … ──▶ medians, ranges ──▶ report
"""

import os
import platform
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import psycopg
import typer

from bench.per_row import GROUP
from bench.report import Circumstances, Run, report
from bench.stage import Stage, StageFailed, local, opened_stage
from signal_pipeline import __version__
from signal_pipeline.commands.screen import OUT

if TYPE_CHECKING:
    from collections.abc import Callable

_RESULTS: Final = Path(__file__).parent / "results"
_TRIGGER: Final = "process-signal-trigger"
_PIPELINE_GROUP: Final = "process-signal"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    quick: Annotated[bool, typer.Option("--quick", help="three short rounds, less than 3 minutes")] = False,  # noqa: FBT002
) -> None:
    """Measure how many signals become rows in a second, beside a processor that stores one at a time."""
    rounds, size = (3, 1) if quick else (7, 5)
    load_before = os.getloadavg()[0]
    try:
        runs = _take_turns(rounds, size)
    except StageFailed as exc:
        OUT.print(f"the benchmark failed: {exc}", style="red", markup=False)
        raise typer.Exit(1) from exc
    text = report(runs, _circumstances(load_before))
    _RESULTS.mkdir(exist_ok=True)
    target = _RESULTS / ("quick.md" if quick else "full.md")
    target.write_text(text)
    OUT.print(text, markup=False)
    OUT.print(f"written to {target.relative_to(Path.cwd())}", markup=False)


def _take_turns(rounds: int, size: int) -> dict[str, list[Run]]:
    # The slower arm gets a smaller backlog: a rate needs seconds of work, not the same number of signals.
    arms: dict[str, tuple[Callable[[Stage, int], Run], int]] = {
        "signal-pipeline: trigger and function": (_pipeline, 60_000 * size),
        "per-row processor": (_per_row, 4_000 * size),
    }
    runs: dict[str, list[Run]] = {name: [] for name in arms}
    with opened_stage() as stage:
        for number in range(rounds):
            for name, (arm, count) in arms.items():
                runs[name].append(arm(stage, count))
                OUT.print(f"round {number + 1} of {rounds}, {name}: {runs[name][-1].per_second:,.0f} signals/s")
    return runs


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
