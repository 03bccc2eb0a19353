"""Which events are too old; the age is a minute, and times are seconds."""

from math import inf

import pytest

from signal_pipeline.domain.dead_letters import Disposition
from signal_pipeline.domain.failures import Failure, FailureClass
from signal_pipeline.trigger.expiry import Hold, hold_after, too_old
from signal_pipeline.trigger.pending import Pending
from tests.unit.trigger.conftest import record

AGE_MS = 60_000
HOUR = 3600


def waiting(second: float, failure_class: FailureClass | None = None) -> Pending:
    """Return an event of this second, never tried unless it failed."""
    pending = Pending(record(0, 0, "e", int(second * 1000)))
    if failure_class is not None:
        pending.failure = Failure(failure_class=failure_class, code="c", detail="d")
    return pending


def hold(began: float, ended: float = inf) -> Hold:
    """Return a hold of these seconds."""
    return Hold(began=began * 1000, ended=ended * 1000)


@pytest.mark.parametrize(
    ("second", "held", "expected"),
    [
        (HOUR - 60, None, False),  # exactly a minute old
        (HOUR - 61, None, True),
        (99, hold(100), False),  # was a second old when the hold began
        (40, hold(100), False),
        (39, hold(100), True),  # was too old before
        (500, hold(100), False),  # came while it lasted
        (500, hold(100, 500), False),
        (501, hold(100, 500), True),  # came after it
    ],
)
def test_time_of_a_hold_does_not_count(second: float, held: Hold | None, *, expected: bool) -> None:
    """After an hour, an event that was never tried expires unless it waited behind a hold."""
    assert too_old(waiting(second), held, age_ms=AGE_MS, now_ms=HOUR * 1000) is expected


@pytest.mark.parametrize("failure_class", FailureClass)
def test_only_its_own_failure_lets_an_event_expire(failure_class: FailureClass) -> None:
    """What failed for the surroundings' sake never expires; anything else does."""
    blameless = {FailureClass.DEPENDENCY, FailureClass.OVERLOAD, FailureClass.ENDPOINT}
    expired = too_old(waiting(0, failure_class), None, age_ms=AGE_MS, now_ms=HOUR * 1000)
    assert expired is (failure_class not in blameless)


def test_what_is_given_up_does_not_expire_too() -> None:
    """An event has one reason for which it is given up."""
    rejected = waiting(0)
    rejected.doom(Disposition.REJECTED)
    assert not too_old(rejected, None, age_ms=AGE_MS, now_ms=HOUR * 1000)


def test_a_hold_lasts_until_its_backlog_is_through() -> None:
    """It begins with the delivery that is held, ends with the first that is not, and is over with a newer event."""
    held, done = [waiting(1, FailureClass.DEPENDENCY)], [waiting(1)]
    first = hold_after(None, held, started_ms=100, now_ms=200)
    assert first == Hold(began=100)
    again = hold_after(first, held, started_ms=300, now_ms=400)
    assert again == Hold(began=100)
    ended = hold_after(again, done, started_ms=500, now_ms=5000)
    assert ended == Hold(began=100, ended=5000)
    assert hold_after(ended, [waiting(5)], started_ms=6000, now_ms=7000) == ended
    assert hold_after(ended, held, started_ms=6000, now_ms=7000) == Hold(began=100)
    assert hold_after(ended, [waiting(5.001)], started_ms=6000, now_ms=7000) is None
    assert hold_after(None, done, started_ms=6000, now_ms=7000) is None
