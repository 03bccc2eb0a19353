"""The offset tracker: what may be committed, whatever the order of verdicts."""

from hypothesis import given
from hypothesis import strategies as st

from signal_pipeline.trigger.offsets import PartitionOffsets


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, int]]:
    """Draw a partition with gaps and an order in which its records are read and resolved."""
    offsets = sorted(draw(st.sets(st.integers(0, 60), min_size=1, max_size=20)))
    waiting, steps, position = [], [], 0
    while position < len(offsets) or waiting:
        if position < len(offsets) and (not waiting or draw(st.booleans())):
            waiting.append(offsets[position])
            steps.append(("read", offsets[position]))
            position += 1
        else:
            chosen = waiting.pop(draw(st.integers(0, len(waiting) - 1)))
            steps.append(("resolve", chosen))
    return steps


@given(histories())
def test_nothing_unresolved_is_ever_committed(steps: list[tuple[str, int]]) -> None:
    """After every step the committable offset passes no unresolved record and never goes backwards."""
    tracker, unresolved, last = PartitionOffsets(), set[int](), -1
    for step, offset in steps:
        if step == "read":
            tracker.receive(offset)
            unresolved.add(offset)
        else:
            tracker.resolve([offset])
            unresolved.discard(offset)
        committable = tracker.committable
        assert committable is not None
        assert all(committable <= one for one in unresolved)
        assert committable >= last
        assert tracker.unresolved == len(unresolved)
        last = committable


@given(histories())
def test_everything_resolved_commits_behind_the_last_record(steps: list[tuple[str, int]]) -> None:
    """At the end the committed offset is the last record's plus one."""
    tracker = PartitionOffsets()
    for step, offset in steps:
        if step == "read":
            tracker.receive(offset)
        else:
            tracker.resolve([offset])
    assert tracker.committable == max(offset for _, offset in steps) + 1


def test_a_gap_at_the_end_is_passed_when_the_end_is_reported() -> None:
    """Transaction markers behind the last record leave no lag."""
    tracker = PartitionOffsets()
    tracker.receive(4)
    tracker.reach_end(6)
    assert tracker.committable == 4
    tracker.resolve([4])
    assert tracker.committable == 6


def test_an_end_reported_late_does_not_move_backwards() -> None:
    """Records read after the end was reported decide."""
    tracker = PartitionOffsets()
    tracker.receive(9)
    tracker.resolve([9])
    tracker.reach_end(5)
    assert tracker.committable == 10


def test_an_offset_is_taken_for_commit_once() -> None:
    """What did not move is not committed again."""
    tracker = PartitionOffsets()
    assert tracker.take_commit() is None
    tracker.receive(0)
    tracker.resolve([0])
    assert tracker.take_commit() == 1
    assert tracker.take_commit() is None
