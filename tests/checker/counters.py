"""I14: what the counters grew by, summed over restarts, is what the ledger and the stores say.

A counter is read from outside, so what a killed process counted after its last sample is not seen: over a restart the
sum is a lower bound of the truth, and only its excess is an error. Without one, emit's counter lies between the events
that were acknowledged and those that may have been; in a calm run every counter is exact.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby, pairwise

from tests.checker.case import Case
from tests.checker.history import History
from tests.checker.letters import identity, origin
from tests.checker.model import Outcome
from tests.checker.report import Finding

__all__ = ["miscounted"]

_STARTED = "process_start_time_seconds"


@dataclass(frozen=True, kw_only=True)
class _Count:
    """What a counter must have grown by.

    Attributes:
        role: Whose page has it.
        name: The counter; all its labels are added up unless the name has one.
        truth: What there was to count.
        at_most: It never exceeds that: each thing is counted once, whatever is delivered again.
        exact: It reaches that in a calm run.
        started: The metric that tells one process from the next.
    """

    role: str
    name: str
    truth: Callable[[Case], int]
    at_most: bool = True
    exact: bool = True
    started: str = _STARTED


def miscounted(case: Case) -> Iterator[Finding | None]:
    """I14: no counter grew by more than there was, nor by less where nothing can have been missed."""
    if case.history is None:
        return
    yield _emitted(case, case.history)
    for count in _COUNTS:
        grown, truth = _growth(case.history, count.role, count.name, count.started)[0], count.truth(case)
        calm = case.history.calm
        wrong = ((count.at_most or calm) and grown > truth) or (count.exact and calm and grown < truth)
        yield _finding(count.role, count.name, grown, f"{truth}") if wrong else None


def _emitted(case: Case, history: History) -> Finding | None:
    told = Counter(sent.outcome for sent in case.sent if sent.record is None)
    grown, restarts = _growth(history, "emit", "signals_produced_total", _STARTED)
    least = 0 if restarts else told[Outcome.OK]
    most = told[Outcome.OK] + told[Outcome.UNKNOWN]
    name = "signals_produced_total"
    return None if least <= grown <= most else _finding("emit", name, grown, f"{least} to {most}")


def _finding(role: str, name: str, grown: float, expected: str) -> Finding:
    return Finding(invariant="I14", subject=f"{role}: {name}", detail=f"grew by {grown:.0f}, expected {expected}")


def _growth(history: History, role: str, name: str, started: str) -> tuple[float, int]:
    """Return by how much a counter grew over all processes that were seen, and the number of restarts."""
    pages = [page for sample in history.samples if (page := sample.pages.get(role)) is not None and started in page]
    values = [(page[started], _sum(page, name)) for page in pages]
    # A process counts from zero, and only the first one had counted before the observation.
    last = [[value for _, value in group][-1] for _, group in groupby(values, key=lambda pair: pair[0])]
    restarts = sum(before != after for (before, _), (after, _) in pairwise(values))
    return (sum(last) - values[0][1] if values else 0.0), restarts


def _sum(page: Mapping[str, float], name: str) -> float:
    return sum(value for sample, value in page.items() if sample == name or sample.startswith(f"{name}{{"))


def _letters_written(case: Case) -> int:
    """Return the dead letters of what the ledger placed or sent, in the dead-letter topic."""
    placed = {sent.record.position for sent in case.sent if sent.record and sent.record.position}
    return sum(origin(one) in placed or identity(one) in case.events for one in case.snapshot.dead)


def _landed(case: Case) -> int:
    """Return the records of the log that became rows, repetitions included."""
    records = [one for one in case.snapshot.log if identity(one) in case.events]
    return sum(one.position not in case.letters_of for one in records)


_COUNTS = (
    # detect-anomaly inserts the signals that it finds something in when it is first.
    _Count(
        role="process-signal",
        name='signals_stored_total{outcome="inserted"}',
        truth=lambda case: len(case.rows),
        exact=False,
    ),
    _Count(role="process-signal", name="signals_consumed_total", truth=_landed, at_most=False),
    _Count(
        role="process-signal",
        name="signals_dlq_total",
        truth=_letters_written,
        started="trigger_process_start_time_seconds",
    ),
    _Count(role="detect-anomaly", name="anomalies_detected_total", truth=lambda case: len(case.snapshot.anomalies)),
    _Count(role="detect-anomaly", name="outbox_events_total", truth=lambda case: len(case.snapshot.outbox)),
    _Count(
        role="confirm-outbox",
        name="outbox_confirmed_total",
        truth=lambda case: sum(row.stamped for row in case.snapshot.outbox),
    ),
)
