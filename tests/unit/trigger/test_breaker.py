"""When the trigger stops believing that the events are at fault."""

from collections.abc import Iterable

import pytest

from signal_pipeline.domain.failures import Failure, FailureClass
from signal_pipeline.trigger.breaker import Breaker


def failures(failure_class: FailureClass, times: int) -> Iterable[Failure]:
    """Return failures of one class."""
    return [Failure(failure_class=failure_class, code="x", detail="y")] * times


@pytest.mark.parametrize("failure_class", [FailureClass.UNEXPECTED, FailureClass.REJECTED])
def test_it_opens_when_more_than_half_of_200_fail(failure_class: FailureClass) -> None:
    """99 successes and 100 failures are too few; one more failure opens it."""
    breaker = Breaker()
    breaker.count(succeeded=99, failures=failures(failure_class, 100))
    assert not breaker.is_open
    breaker.count(succeeded=0, failures=failures(failure_class, 1))
    assert breaker.is_open


@pytest.mark.parametrize("failure_class", sorted(set(FailureClass) - {FailureClass.UNEXPECTED, FailureClass.REJECTED}))
def test_poison_and_transient_failures_never_open_it(failure_class: FailureClass) -> None:
    """A stream of poison flows to the dead-letter topic; transient failures hold by themselves."""
    breaker = Breaker()
    breaker.count(succeeded=0, failures=failures(failure_class, 1000))
    assert not breaker.is_open


def test_half_is_not_more_than_half() -> None:
    """100 of 200 leave it closed."""
    breaker = Breaker()
    breaker.count(succeeded=100, failures=failures(FailureClass.UNEXPECTED, 100))
    assert not breaker.is_open


def test_successes_beside_failures_do_not_close_it() -> None:
    """When nine of ten fail in every delivery it opens, and stays open while the rest succeeds."""
    breaker = Breaker()
    for _ in range(20):
        breaker.count(succeeded=10, failures=failures(FailureClass.REJECTED, 90))
    assert breaker.is_open


def test_a_large_delivery_counts_whole() -> None:
    """600 failures of 1,000 open it, though the 400 successes alone would fill its memory."""
    breaker = Breaker()
    breaker.count(succeeded=400, failures=failures(FailureClass.REJECTED, 600))
    assert breaker.is_open


def test_what_is_long_past_is_forgotten() -> None:
    """Of 10,400 successes the last 400 count: 199 failures leave it closed, 401 open it."""
    breaker = Breaker()
    breaker.count(succeeded=10_000, failures=())
    breaker.count(succeeded=400, failures=())
    breaker.count(succeeded=0, failures=failures(FailureClass.UNEXPECTED, 199))
    assert not breaker.is_open
    breaker.count(succeeded=0, failures=failures(FailureClass.UNEXPECTED, 202))
    assert breaker.is_open


def test_closing_forgets() -> None:
    """Once it is closed the count begins anew."""
    breaker = Breaker()
    breaker.count(succeeded=0, failures=failures(FailureClass.UNEXPECTED, 200))
    assert breaker.is_open
    breaker.close()
    assert not breaker.is_open
    breaker.count(succeeded=1, failures=failures(FailureClass.UNEXPECTED, 100))
    assert not breaker.is_open
