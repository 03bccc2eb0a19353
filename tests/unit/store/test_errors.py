"""What a fault means, when it never got a SQLSTATE."""

import psycopg
import pytest
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from signal_pipeline.domain.failures import Failure, FailureClass
from signal_pipeline.store.errors import StoreError, failure_of, translated_errors


@pytest.mark.parametrize(
    ("exc", "failure_class", "code"),
    [
        (PoolTimeout(), FailureClass.DEPENDENCY, "database_timeout"),
        (TimeoutError(), FailureClass.DEPENDENCY, "database_timeout"),
        (PoolClosed(), FailureClass.DEPENDENCY, "database_unreachable"),
        (psycopg.OperationalError("connection reset"), FailureClass.DEPENDENCY, "database_unreachable"),
        (psycopg.InterfaceError("closed"), FailureClass.DEPENDENCY, "database_unreachable"),
        (ConnectionResetError(), FailureClass.DEPENDENCY, "database_unreachable"),
        (TooManyRequests(), FailureClass.OVERLOAD, "pool_queue_full"),
        (psycopg.DataError("NUL"), FailureClass.REJECTED, "22021"),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogate"), FailureClass.REJECTED, "22021"),
        (psycopg.ProgrammingError("a mistake of ours"), FailureClass.UNEXPECTED, "ProgrammingError"),
    ],
)
def test_a_fault_without_sqlstate_has_a_class(exc: Exception, failure_class: FailureClass, code: str) -> None:
    """The driver's, the pool's and the network's own errors have a class and a stable code."""
    failure = failure_of(exc)
    assert (failure.failure_class, failure.code) == (failure_class, code)


def test_faults_are_translated_and_mistakes_are_not() -> None:
    """A fault of the store becomes a StoreError with its cause; an error of the caller's own passes through."""
    with pytest.raises(StoreError) as caught, translated_errors():
        raise PoolTimeout
    assert isinstance(caught.value.__cause__, PoolTimeout)
    with pytest.raises(KeyError), translated_errors():
        raise KeyError("mine")


def test_a_store_error_keeps_its_verdict() -> None:
    """The verdict on a StoreError is the one that it carries."""
    failure = Failure(failure_class=FailureClass.CONTENTION, code="40P01", detail="deadlock")
    error = StoreError(failure)
    assert failure_of(error) is failure
    assert error.retry_after_seconds == failure.policy.retry_after_seconds
