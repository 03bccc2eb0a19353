"""Why an event failed, and what that means: one table, used by functions, trigger and replay alike.

The class of a failure decides everything that follows: the HTTP status of the answer, what the trigger does with the
offset, what replay does with the dead letter. Nothing else in the product branches on an error's type.
"""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["POLICIES", "Failure", "FailureClass", "Policy", "ReplayAction", "TriggerAction", "class_of_sqlstate"]


class FailureClass(StrEnum):
    """The closed set of reasons for which an event is not processed."""

    INVALID = "invalid"
    REJECTED = "rejected"
    CONTENTION = "contention"
    DEPENDENCY = "dependency"
    OVERLOAD = "overload"
    ENDPOINT = "endpoint"
    UNEXPECTED = "unexpected"


class TriggerAction(StrEnum):
    """What a trigger does with an event that failed."""

    DEAD_LETTER = "dead_letter"  # at once: no repetition can help
    RETRY_IN_PLACE = "retry_in_place"  # quickly, with full jitter
    HOLD = "hold"  # pause the partition until it works; costs no attempts, never dead-letters
    RETRY_BOUNDED = "retry_bounded"  # a bounded number of attempts, then dead-letter


class ReplayAction(StrEnum):
    """What replay does with a dead letter."""

    QUARANTINE = "quarantine"  # never replayed by itself
    SCHEDULE = "schedule"  # due again later


@dataclass(frozen=True, kw_only=True)
class Policy:
    """One row of the table.

    Attributes:
        status: HTTP status by which a function reports the class for a single event.
        trigger: What the trigger does.
        replay: What replay does with a dead letter of this class.
        retry_after_seconds: The Retry-After a function sends with it; None sends none.
    """

    status: int
    trigger: TriggerAction
    replay: ReplayAction
    retry_after_seconds: int | None = None


POLICIES: dict[FailureClass, Policy] = {
    FailureClass.INVALID: Policy(status=400, trigger=TriggerAction.DEAD_LETTER, replay=ReplayAction.QUARANTINE),
    FailureClass.REJECTED: Policy(status=422, trigger=TriggerAction.DEAD_LETTER, replay=ReplayAction.QUARANTINE),
    FailureClass.CONTENTION: Policy(
        status=503, trigger=TriggerAction.RETRY_IN_PLACE, replay=ReplayAction.SCHEDULE, retry_after_seconds=1
    ),
    FailureClass.DEPENDENCY: Policy(
        status=503, trigger=TriggerAction.HOLD, replay=ReplayAction.SCHEDULE, retry_after_seconds=2
    ),
    FailureClass.OVERLOAD: Policy(
        status=429, trigger=TriggerAction.HOLD, replay=ReplayAction.SCHEDULE, retry_after_seconds=1
    ),
    FailureClass.ENDPOINT: Policy(
        status=503, trigger=TriggerAction.HOLD, replay=ReplayAction.SCHEDULE, retry_after_seconds=5
    ),
    FailureClass.UNEXPECTED: Policy(status=500, trigger=TriggerAction.RETRY_BOUNDED, replay=ReplayAction.SCHEDULE),
}


@dataclass(frozen=True, kw_only=True)
class Failure:
    """The verdict on one event that was not processed.

    Attributes:
        failure_class: Why; decides what happens next.
        code: Short stable name of the cause: a SQLSTATE, an HTTP status, or a word such as `identity_conflict`.
        detail: One sentence for a person, without payload, SQL or secrets.
        status: HTTP status when it differs from the class's own, such as 413 for a payload that is too large.
    """

    failure_class: FailureClass
    code: str
    detail: str
    status: int | None = None

    @property
    def http_status(self) -> int:
        """The status by which a function answers this failure."""
        return self.status or POLICIES[self.failure_class].status

    @property
    def policy(self) -> Policy:
        """The row of the table for this failure's class."""
        return POLICIES[self.failure_class]


# Longest prefix first: a full SQLSTATE is more specific than its two-character class.
_SQLSTATES: tuple[tuple[str, FailureClass], ...] = (
    ("40001", FailureClass.CONTENTION),  # serialization failure
    ("40P01", FailureClass.CONTENTION),  # deadlock
    ("55P03", FailureClass.CONTENTION),  # lock not available
    ("23502", FailureClass.REJECTED),  # null in a column that forbids it
    ("23514", FailureClass.REJECTED),  # check constraint
    ("54000", FailureClass.REJECTED),  # a value too large for an index
    ("25006", FailureClass.DEPENDENCY),  # read-only: a standby after failover
    ("25P03", FailureClass.DEPENDENCY),  # idle in transaction for too long: this process was stopped meanwhile
    ("25P04", FailureClass.DEPENDENCY),  # the whole transaction took too long (PostgreSQL 17)
    # A prepared statement that the connection lost, or has already: a connection pooler in between hands one client's
    # connection to another. No event causes it and the next connection may do, so none must pay with its attempts.
    ("26000", FailureClass.DEPENDENCY),
    ("42P05", FailureClass.DEPENDENCY),
    ("57014", FailureClass.DEPENDENCY),  # statement timeout: the server is slower than the load
    ("22", FailureClass.REJECTED),  # data exception
    ("08", FailureClass.DEPENDENCY),  # connection
    ("53", FailureClass.DEPENDENCY),  # insufficient resources
    ("57P", FailureClass.DEPENDENCY),  # shutdown, crash recovery, not yet started
    ("58", FailureClass.DEPENDENCY),  # the server's disk or system failed: no other event would fare better
)


def class_of_sqlstate(sqlstate: str | None) -> FailureClass:
    """Return the failure class of a SQLSTATE; None (the connection broke) is a dependency, unknown is unexpected.

    >>> class_of_sqlstate("57P01").value
    'dependency'
    >>> class_of_sqlstate("42P01").value
    'unexpected'
    """
    if sqlstate is None:
        return FailureClass.DEPENDENCY
    for prefix, failure_class in _SQLSTATES:
        if sqlstate.startswith(prefix):
            return failure_class
    return FailureClass.UNEXPECTED
