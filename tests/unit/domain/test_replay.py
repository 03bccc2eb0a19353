"""When dead letters are due again, and which never are."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signal_pipeline.domain.dead_letters import DeadLetterMetadata, Disposition
from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.domain.replay import ReplaySchedule, next_attempt_at

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SCHEDULE = ReplaySchedule(delays_seconds=(60, 600, 3600), topics=frozenset({"signal-events"}))
LETTER = DeadLetterMetadata(
    topic="signal-events",
    partition=0,
    offset=1,
    timestamp_ms=0,
    failure_class=FailureClass.UNEXPECTED,
    code="500",
    message="",
    attempts=5,
    first_failed_at=NOW,
    last_failed_at=NOW,
    group="process-signal",
    function="process-signal",
    build="",
    disposition=Disposition.EXHAUSTED,
)


def due(letter: DeadLetterMetadata, attempts: int = 1, chance: float = 0.5) -> datetime | None:
    """Ask when a letter is due."""
    return next_attempt_at(letter, attempts=attempts, schedule=SCHEDULE, now=NOW, chance=chance)


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 30), (2, 300), (3, 1800)])
def test_unexpected_follows_the_schedule(attempts: int, seconds: int) -> None:
    """With chance 0.5 each attempt waits for half of its delay: 60 s, 600 s, 3,600 s."""
    assert due(LETTER, attempts) == NOW + timedelta(seconds=seconds)


def test_unexpected_ends_in_quarantine() -> None:
    """After one failure more than there are delays nothing is tried any more."""
    assert due(LETTER, 4) is None


@pytest.mark.parametrize("failure_class", [FailureClass.INVALID, FailureClass.REJECTED])
def test_hopeless_classes_are_never_replayed(failure_class: FailureClass) -> None:
    """What no repetition can help goes into quarantine at once."""
    assert due(replace(LETTER, failure_class=failure_class)) is None


@pytest.mark.parametrize("failure_class", [FailureClass.DEPENDENCY, FailureClass.OVERLOAD, FailureClass.ENDPOINT])
def test_temporary_classes_are_tried_for_ever(failure_class: FailureClass) -> None:
    """What is not the event's fault is due again after the last delay, however often it failed."""
    assert due(replace(LETTER, failure_class=failure_class), attempts=1000) == NOW + timedelta(seconds=1800)


@pytest.mark.parametrize(
    "letter",
    [
        replace(LETTER, disposition=Disposition.EXPIRED),
        replace(LETTER, topic="anomaly-events"),
        replace(LETTER, topic="signal-events-dlq"),
        replace(LETTER, group="confirm-outbox"),
    ],
)
def test_never_replayed(letter: DeadLetterMetadata) -> None:
    """Expired records, records of other topics and those of confirm-outbox go into quarantine."""
    assert due(letter) is None


@given(attempts=st.integers(-1, 10**9), chance=st.floats(0, 1, exclude_max=True))
def test_delay_has_full_jitter_and_a_bound(attempts: int, chance: float) -> None:
    """A delay is never negative and never above the longest of the schedule."""
    assert 0 <= SCHEDULE.delay_seconds(attempts, chance=chance) <= 3600


@pytest.mark.parametrize("text", ["", "60,", "a", "-1", "inf", "nan"])
def test_malformed_schedule_is_refused(text: str) -> None:
    """A schedule is a list of finite numbers of seconds that are not negative."""
    with pytest.raises(ValueError, match=r"number|float"):
        ReplaySchedule.parse(text, topics=frozenset())
