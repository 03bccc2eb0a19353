"""A bounded rate."""

import pytest

from signal_pipeline.domain.pace import Pace


def test_records_go_at_the_rate() -> None:
    """A hundred records at 500 a second take 0.2 s; what follows early waits for the rest of that."""
    pace = Pace(500)
    assert pace.wait(now=10.0) == 0
    pace.spent(100, now=10.0)
    pace.spent(100, now=10.0)
    assert pace.wait(now=10.1) == pytest.approx(0.3)
    assert pace.wait(now=10.5) == 0


def test_an_idle_time_is_not_made_up_for() -> None:
    """After an hour without records the next ones wait as if there had been none."""
    pace = Pace(10)
    pace.spent(1, now=0.0)
    pace.spent(5, now=3600.0)
    assert pace.wait(now=3600.0) == pytest.approx(0.5)
