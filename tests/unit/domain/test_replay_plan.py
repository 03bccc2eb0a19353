"""Plans of a replay: what they quote, and what they refuse."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signal_pipeline.domain.replay_plan import ReplayPlan

IDS = [UUID(int=number) for number in range(3)]


@given(wanted=st.dictionaries(st.text(max_size=10), st.text(max_size=10) | st.integers(), max_size=4))
def test_plan_survives_its_text(wanted: dict[str, str | int]) -> None:
    """What a dry run gives as text is the same plan when it is quoted."""
    plan = ReplayPlan.of(wanted, IDS)
    assert ReplayPlan.parse(str(plan)) == plan


def test_plan_names_exactly_its_dead_letters() -> None:
    """The order of the dead letters does not matter, each one of them and the filter does."""
    plan = ReplayPlan.of({"limit": 10}, IDS)
    assert plan == ReplayPlan.of({"limit": 10}, reversed(IDS))
    assert plan.digest != ReplayPlan.of({"limit": 10}, IDS[1:]).digest
    assert plan.digest != ReplayPlan.of({"limit": 11}, IDS).digest


@pytest.mark.parametrize("text", ["", ".", "!!!.00", "W10=.00", "_w==.00"])
def test_text_that_is_no_plan_is_refused(text: str) -> None:
    """What holds no filter is no plan."""
    with pytest.raises(ValueError, match=r"plan|Expecting"):
        ReplayPlan.parse(text)
