"""One record between the broker and its effect, and what a verdict makes of it. Pure.

durable                                    resolved
dead_letter   (invalid, rejected)          doomed at once
retry_bounded (unexpected)                 waits; doomed after `max_attempts`
retry_in_place (contention)                waits; after ten tries it counts as a dependency that is down
hold          (dependency, overload, ...)  waits, costs no attempt
"""

from dataclasses import replace
from datetime import datetime
from enum import Enum, auto
from typing import Final

from signal_pipeline.domain.dead_letters import Disposition, disposition_of
from signal_pipeline.domain.failures import Failure, FailureClass, TriggerAction
from signal_pipeline.events.kafka import KafkaRecord

__all__ = ["Fate", "Pending", "judge", "must_wait"]

_CONTENTION_TRIES: Final = 10
# Header names, framing and attributes that a record gains as JSON, roughly.
_OVERHEAD_BYTES: Final = 256


class Fate(Enum):
    """Where a record stands."""

    WAITING = auto()  # to be delivered
    DOOMED = auto()  # to be dead-lettered
    DURABLE = auto()  # its effect, or its dead letter, is stored


class Pending:
    """A record under way.

    Attributes:
        record: The record.
        size: Roughly its bytes on the wire.
        fate: Where it stands.
        attempts: Deliveries that failed and count.
        contentions: Deliveries that failed by contention in a row.
        failure: The last failure.
        first_failed_at: Time of the first failure.
        last_failed_at: Time of the last one.
        disposition: Why it is given up; None unless doomed.
    """

    __slots__ = (
        "attempts",
        "contentions",
        "disposition",
        "failure",
        "fate",
        "first_failed_at",
        "last_failed_at",
        "record",
        "size",
    )

    def __init__(self, record: KafkaRecord) -> None:
        self.record = record
        self.size = len(record.value or b"") + len(record.key or b"") + _OVERHEAD_BYTES
        self.fate = Fate.WAITING
        self.attempts = 0
        self.contentions = 0
        self.failure: Failure | None = None
        self.first_failed_at: datetime | None = None
        self.last_failed_at: datetime | None = None
        self.disposition: Disposition | None = None

    def doom(self, disposition: Disposition) -> None:
        """Give the record up; it is resolved when its dead letter is acknowledged."""
        self.fate = Fate.DOOMED
        self.disposition = disposition

    def spare(self) -> None:
        """Give the attempts back, because the failures were not about this record."""
        self.fate = Fate.WAITING
        self.attempts = 0
        self.disposition = None


def judge(pending: Pending, failure: Failure | None, *, now: datetime, max_attempts: int) -> None:
    """Apply the verdict of one delivery.

    Args:
        pending: The record.
        failure: Why it failed; None when it is durable.
        now: Time of the verdict.
        max_attempts: Deliveries that may fail as `unexpected`.
    """
    if failure is None:
        pending.fate = Fate.DURABLE
        return
    pending.first_failed_at = pending.first_failed_at or now
    pending.last_failed_at = now
    pending.failure = failure
    match failure.policy.trigger:
        case TriggerAction.DEAD_LETTER:
            pending.attempts += 1
            pending.doom(disposition_of(failure.failure_class))
        case TriggerAction.RETRY_BOUNDED:
            pending.attempts += 1
            if pending.attempts >= max_attempts:
                pending.doom(disposition_of(failure.failure_class))
        case TriggerAction.RETRY_IN_PLACE:
            pending.contentions += 1
            if pending.contentions > _CONTENTION_TRIES:
                pending.failure = replace(failure, failure_class=FailureClass.DEPENDENCY)
        case TriggerAction.HOLD:
            pending.contentions = 0


def must_wait(pending: Pending) -> bool:
    """Tell whether the record failed in a way that the next record would, too."""
    failure = pending.failure
    if pending.fate is not Fate.WAITING or failure is None:
        return False
    return failure.policy.trigger in {TriggerAction.HOLD, TriggerAction.RETRY_IN_PLACE}
