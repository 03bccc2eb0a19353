"""When to try again."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signal_pipeline.domain.retry import Backoff, retry_after_seconds

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@given(st.integers(1, 10**6), st.floats(0, 1, exclude_max=True), st.floats(0, 60))
def test_a_delay_is_at_least_what_was_asked_and_jitter_is_capped(attempt: int, chance: float, asked: float) -> None:
    """The delay lies between what the other side asked for and that plus the cap."""
    delay = Backoff(base_seconds=0.2, cap_seconds=10).delay(attempt, chance=chance, at_least=asked)
    assert asked <= delay <= asked + 10


def test_bounds_double_or_grow_by_the_base() -> None:
    """Exponential: 1, 2, 4, 5 (cap). Linear: 1, 2, 3, 4."""
    exponential = Backoff(base_seconds=1, cap_seconds=5)
    linear = Backoff(base_seconds=1, cap_seconds=5, linear=True)
    assert [exponential.bound(attempt) for attempt in (1, 2, 3, 4)] == [1, 2, 4, 5]
    assert [linear.bound(attempt) for attempt in (1, 2, 3, 4)] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("7", 7),
        (" 7 ", 7),
        ("0", 0),
        ("-5", 0),
        ("9" * 5000, 60),
        ("1.5", 0),
        ("soon", 0),
        ("Thu, 01 Jan 2026 12:00:30 GMT", 30),
        ("Thu, 01 Jan 2026 12:00:30", 30),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0),
        ("Fri, 01 Jan 2027 12:00:00 GMT", 60),
        ("\u0667", 0),
        ("Thu, 01 Jan 99999999999999999999 12:00:30 GMT", 0),
        ("Thu, 01 Jan 2026 12:00:30 +99999999999999999999", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date_within_the_cap(header: str | None, seconds: float) -> None:
    """Seconds and HTTP dates are obeyed up to a minute; anything else asks for nothing."""
    assert retry_after_seconds(header, now=NOW, cap_seconds=60) == seconds


@given(st.text(max_size=40))
def test_no_header_breaks_the_reader(header: str) -> None:
    """Whatever a server sends, the wait is between nothing and the cap."""
    assert 0 <= retry_after_seconds(header, now=NOW, cap_seconds=60) <= 60
