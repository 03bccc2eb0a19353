"""A steady pace."""

from hypothesis import given
from hypothesis import strategies as st

from signal_pipeline.trigger.pacer import Pacer


@given(st.lists(st.floats(0, 0.3), min_size=10, max_size=100))
def test_late_requests_cause_no_drift(delays: list[float]) -> None:
    """However late each request is, as long as the delay is made up for, n requests take n intervals."""
    pacer, now = Pacer(interval_seconds=0.5, start=0.0, make_up_seconds=2.0), 0.0
    for delay in delays:
        now += pacer.wait(now) + delay
        pacer.sent()
    assert abs(now + pacer.wait(now) - 0.5 * len(delays)) < 1e-6


def test_a_long_hold_up_is_made_up_for_in_part() -> None:
    """After a minute of silence the requests of two seconds are due at once, and no more."""
    pacer, now = Pacer(interval_seconds=0.5, start=0.0, make_up_seconds=2.0), 60.0
    sent = 0
    while pacer.wait(now) == 0:
        pacer.sent()
        sent += 1
    assert sent == 5  # due at 58.0, 58.5, 59.0, 59.5 and 60.0
