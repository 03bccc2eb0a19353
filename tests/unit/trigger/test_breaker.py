"""When the trigger stops believing that the events are at fault."""

import pytest

from signal_pipeline.domain.failures import Failure, FailureClass
from signal_pipeline.trigger.breaker import Breaker


def fail(breaker: Breaker, failure_class: FailureClass, times: int) -> None:
    """Report failures."""
    for _ in range(times):
        breaker.failed(Failure(failure_class=failure_class, code="x", detail="y"))


@pytest.mark.parametrize("failure_class", [FailureClass.UNEXPECTED, FailureClass.REJECTED])
def test_it_opens_when_more_than_half_of_200_fail(failure_class: FailureClass) -> None:
    """99 successes and 100 failures are too few; one more failure opens it."""
    breaker = Breaker()
    breaker.succeeded(99)
    fail(breaker, failure_class, 100)
    assert not breaker.is_open
    fail(breaker, failure_class, 1)
    assert breaker.is_open


@pytest.mark.parametrize("failure_class", sorted(set(FailureClass) - {FailureClass.UNEXPECTED, FailureClass.REJECTED}))
def test_poison_and_transient_failures_never_open_it(failure_class: FailureClass) -> None:
    """A stream of poison flows to the dead-letter topic; transient failures hold by themselves."""
    breaker = Breaker()
    fail(breaker, failure_class, 1000)
    assert not breaker.is_open


def test_half_is_not_more_than_half() -> None:
    """100 of 200 leave it closed."""
    breaker = Breaker()
    breaker.succeeded(100)
    fail(breaker, FailureClass.UNEXPECTED, 100)
    assert not breaker.is_open


def test_a_success_closes_it_and_forgets() -> None:
    """After a success the count begins anew."""
    breaker = Breaker()
    fail(breaker, FailureClass.UNEXPECTED, 200)
    assert breaker.is_open
    breaker.succeeded(1)
    assert not breaker.is_open
    fail(breaker, FailureClass.UNEXPECTED, 100)
    assert not breaker.is_open
