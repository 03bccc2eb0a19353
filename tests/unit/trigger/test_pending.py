"""What a verdict makes of a record."""

from datetime import UTC, datetime

import pytest

from signal_pipeline.domain.failures import Failure, FailureClass
from signal_pipeline.trigger.pending import Fate, Pending, judge, must_wait
from tests.unit.trigger.conftest import record

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def judged(*verdicts: FailureClass) -> Pending:
    """Return a record after these verdicts; five attempts are its most."""
    pending = Pending(record(0, 0, "e"))
    for failure_class in verdicts:
        judge(pending, Failure(failure_class=failure_class, code="c", detail="d"), now=NOW, max_attempts=5)
    return pending


def class_after(pending: Pending) -> FailureClass | None:
    """Return the class of the last failure."""
    return pending.failure and pending.failure.failure_class


def test_contention_becomes_a_dependency_after_ten_tries() -> None:
    """What stays in the way for so long is no conflict: it is waited for like an outage."""
    assert class_after(judged(*[FailureClass.CONTENTION] * 10)) is FailureClass.CONTENTION
    assert class_after(judged(*[FailureClass.CONTENTION] * 11)) is FailureClass.DEPENDENCY


def test_an_outage_in_between_begins_the_count_anew() -> None:
    """Ten tries in a row are meant."""
    half = [FailureClass.CONTENTION] * 6
    assert class_after(judged(*half, FailureClass.OVERLOAD, *half)) is FailureClass.CONTENTION


@pytest.mark.parametrize(
    "failure_class",
    [FailureClass.CONTENTION, FailureClass.DEPENDENCY, FailureClass.OVERLOAD, FailureClass.ENDPOINT],
)
def test_what_is_not_the_events_fault_costs_no_attempt(failure_class: FailureClass) -> None:
    """However often it fails so, it waits, and holds what lies behind it."""
    pending = judged(*[failure_class] * 100)
    assert (pending.fate, pending.attempts, must_wait(pending)) == (Fate.WAITING, 0, True)


def test_unexpected_failures_are_bounded() -> None:
    """The fifth gives it up; before that nothing waits for it."""
    pending = judged(*[FailureClass.UNEXPECTED] * 4)
    assert (pending.fate, pending.attempts, must_wait(pending)) == (Fate.WAITING, 4, False)
    assert judged(*[FailureClass.UNEXPECTED] * 5).fate is Fate.DOOMED
