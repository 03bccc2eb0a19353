"""How a batch is divided into rounds."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from signal_pipeline.domain.signals import Signal
from signal_pipeline.store.upsert import _rounds


def version(number: int, minute: int = 0) -> Signal:
    """Make a version of the signal of that number."""
    values: dict[str, Any] = dict.fromkeys(Signal.__slots__)
    at = datetime(2026, 1, 15, 12, minute, tzinfo=UTC)
    return Signal(**values | {"id": UUID(int=number), "source": "web", "event_ts": at})


def test_different_ids_are_one_round_ordered_by_id() -> None:
    """A batch without a repeated id is written by one statement, in the order in which rows are locked."""
    assert _rounds([version(3), version(1), version(2)]) == ([[1, 2, 0]], {})


def test_versions_of_one_id_take_turns() -> None:
    """The second version of an id is in the second round, whatever stands between."""
    assert _rounds([version(1), version(2), version(1, 1), version(1, 2)]) == ([[0, 1], [2], [3]], {})


def test_an_echo_takes_no_turn() -> None:
    """A version equal to the one before it of its id shares that one's fate; a thousand cost one round."""
    batch = [version(1)] * 1000
    assert _rounds(batch) == ([[0]], dict.fromkeys(range(1, 1000), 0))


def test_a_return_to_an_earlier_version_is_no_echo() -> None:
    """A, B, A are three turns: between them the row may have changed."""
    assert _rounds([version(1), version(1, 1), version(1)]) == ([[0], [1], [2]], {})


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=20))
def test_every_signal_has_one_place(numbers: list[tuple[int, int]]) -> None:
    """Each index is in exactly one round or an echo, no id twice in a round, and turns keep the batch's order."""
    batch = [version(number, minute) for number, minute in numbers]
    rounds, echoes = _rounds(batch)
    assert sorted([index for part in rounds for index in part] + list(echoes)) == list(range(len(batch)))
    for part in rounds:
        assert len({batch[index].id for index in part}) == len(part)
    turns = {index: turn for turn, part in enumerate(rounds) for index in part}
    for later, turn in turns.items():
        earlier = [index for index in turns if index < later and batch[index].id == batch[later].id]
        assert turn == len(earlier)
