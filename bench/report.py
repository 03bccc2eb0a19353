"""The report of a benchmark: medians and ranges, and the circumstances that a reader needs to judge them. Pure."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["DELIVERY", "ONE_BY_ONE", "Circumstances", "Run", "Subject", "report"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """What some arms are compared in.

    Attributes:
        title: In a few words.
        method: How it is measured.
    """

    title: str
    method: str


DELIVERY: Final = Subject(
    title="Kafka to stored rows",
    method="Each arm drains a backlog of sample signals from the same topic into the same table with all its indexes, "
    "on the same broker and server, with `synchronous_commit` on. The arms take turns. An observer counts committed "
    "rows twenty times a second; a rate is the rows between the first count that is not zero and the last, divided by "
    "the time between the two: the start of a process does not count.",
)
ONE_BY_ONE: Final = Subject(
    title="One event a request",
    method="A client sends sample signals to the function, one in each request, with a fixed number of requests in "
    "flight, as a platform's own event source does: in order there is one for each of the 6 partitions. It is an event "
    "loop that writes ready bytes. One function process shares writes between requests, the other does not; both write "
    "to the same table. The arms take turns, in the one order and in the other. A rate is answered requests by time.",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One run of one arm.

    Attributes:
        signals: Signals that became rows.
        seconds: From the first count that is not zero to the one that finds all.
        first_rows: Rows of the first count, which are there when the clock starts.
    """

    signals: int
    seconds: float
    first_rows: int

    @property
    def per_second(self) -> float:
        """Signals stored a second; the rows of the first count are left out, as their work was not measured."""
        return (self.signals - self.first_rows) / self.seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class Circumstances:
    """Where and how it was measured.

    Attributes:
        machine: Processor, cores and memory.
        software: Versions of what took part.
        load_before: Load average of the last minute before the first run: work of others.
    """

    machine: str
    software: str
    load_before: float


def report(measured: Mapping[Subject, Mapping[str, Sequence[Run]]], circumstances: Circumstances) -> str:
    """Return the report in Markdown; the arms of a subject are compared with the last one.

    Args:
        measured: Runs by subject and arm, in the order in which they took turns.
        circumstances: Where and how.
    """
    lines = [line for subject, runs in measured.items() for line in _section(subject, runs)]
    lines += [
        f"- machine: {circumstances.machine}",
        f"- load average before the first run: {circumstances.load_before:.2f}",
        f"- software: {circumstances.software}",
        "",
    ]
    return "\n".join(lines)


def _section(subject: Subject, runs: Mapping[str, Sequence[Run]]) -> list[str]:
    medians = {arm: statistics.median(run.per_second for run in found) for arm, found in runs.items()}
    base = medians[list(runs)[-1]]
    return [
        f"# {subject.title}",
        "",
        subject.method,
        "",
        "| arm | runs | signals a run | median signals/s | least | most | ratio |",
        "|---|---:|---:|---:|---:|---:|---:|",
        *(_line(arm, found, medians[arm] / base) for arm, found in runs.items()),
        "",
    ]


def _line(arm: str, runs: Sequence[Run], ratio: float) -> str:
    rates = [run.per_second for run in runs]
    signals = max(run.signals for run in runs)
    figures = f"{statistics.median(rates):,.0f} | {min(rates):,.0f} | {max(rates):,.0f} | {ratio:.1f}"
    return f"| {arm} | {len(runs)} | {signals:,} | {figures} |"
