"""What a fault of PostgreSQL means: the failure class follows from the SQLSTATE, by the table in the domain.

An error without a SQLSTATE never reached the server, or lost it on the way:
text that PostgreSQL cannot hold     rejected     found by the client before it is sent
no free connection in time           dependency   the server is down, or slower than the load
any wait that was cut off            dependency
the connection broke                 dependency

One error with a SQLSTATE is not what that says: a statement that the connection prepared before the schema changed is
refused as a feature that is not supported, on this connection for ever. It is a dependency, and the pool gets a new
connection.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from signal_pipeline.domain.failures import Failure, FailureClass, class_of_sqlstate
from signal_pipeline.errors import PipelineError

__all__ = ["StoreError", "failure_of", "is_rejected", "lost_its_statements", "translated_errors"]

_FAULTS = (psycopg.Error, PoolTimeout, PoolClosed, TooManyRequests, TimeoutError, OSError, UnicodeEncodeError)
_UNTRANSLATABLE_TEXT = "22021"
_REPLANNING = "RevalidateCachedQuery"  # the server's function that finds a changed result; its message is translated


class StoreError(PipelineError):
    """PostgreSQL did not do what was asked; `failure` says why and what follows."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail, code=failure.code)
        self.failure = failure
        self.retry_after_seconds = failure.policy.retry_after_seconds


@contextmanager
def translated_errors() -> Iterator[None]:
    """Raise `StoreError` for whatever the driver, the pool or the network raises; let everything else through."""
    try:
        yield
    except _FAULTS as exc:
        raise StoreError(failure_of(exc)) from exc


def is_rejected(exc: BaseException) -> bool:
    """Return whether the data is at fault: the same data can never be stored, other data can."""
    return isinstance(exc, _FAULTS) and failure_of(exc).failure_class is FailureClass.REJECTED


def lost_its_statements(exc: BaseException) -> bool:
    """Return whether what the connection has prepared is of no use any more, so that only a new one helps."""
    if isinstance(exc, psycopg.errors.FeatureNotSupported):
        return exc.diag.source_function == _REPLANNING
    return isinstance(exc, psycopg.errors.InvalidSqlStatementName)


def failure_of(exc: BaseException) -> Failure:
    """Return the verdict on an error; its detail holds no SQL and no data, only names of error and constraint."""
    if isinstance(exc, StoreError):
        return exc.failure
    if isinstance(exc, psycopg.Error) and exc.sqlstate is not None:
        stale = lost_its_statements(exc)
        constraint = f" ({exc.diag.constraint_name})" if exc.diag.constraint_name else ""
        return Failure(
            failure_class=FailureClass.DEPENDENCY if stale else class_of_sqlstate(exc.sqlstate),
            code=exc.sqlstate,
            detail=f"PostgreSQL answered {type(exc).__name__}{constraint}",
        )
    return _without_sqlstate(exc)


def _without_sqlstate(exc: BaseException) -> Failure:
    if isinstance(exc, psycopg.DataError | UnicodeEncodeError):
        return Failure(
            failure_class=FailureClass.REJECTED,
            code=_UNTRANSLATABLE_TEXT,
            detail="a text holds characters that PostgreSQL cannot store",
        )
    if isinstance(exc, TooManyRequests):
        return Failure(
            failure_class=FailureClass.OVERLOAD, code="pool_queue_full", detail="too many calls wait for PostgreSQL"
        )
    if isinstance(exc, psycopg.OperationalError | psycopg.InterfaceError | OSError | PoolClosed):
        # PoolTimeout is an OperationalError and TimeoutError an OSError.
        code = "database_timeout" if isinstance(exc, PoolTimeout | TimeoutError) else "database_unreachable"
        return Failure(failure_class=FailureClass.DEPENDENCY, code=code, detail="PostgreSQL does not answer")
    return Failure(failure_class=FailureClass.UNEXPECTED, code=type(exc).__name__, detail="the statement failed")
