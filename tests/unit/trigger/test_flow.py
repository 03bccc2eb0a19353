"""How much may be buffered."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from signal_pipeline.trigger.flow import has_room, held_partitions
from signal_pipeline.trigger.partition import Partition
from signal_pipeline.trigger.pending import Pending
from tests.unit.trigger.conftest import TRIGGER, record

# (2 in flight + 2 ahead) deliveries of 1,000 events; the share of one of six is a twelfth of it.
SMALL = replace(TRIGGER, batch_events=1000)
MOST, SHARE = 4000, 333


def partitions(*buffered: int, troubled: Sequence[int] = (), delivering: Sequence[int] = ()) -> list[Partition]:
    """Return six partitions with so many buffered records; the others have none."""
    made = [Partition(("signal-events", number)) for number in range(6)]
    for number, count in enumerate(buffered):
        for offset in range(count):
            made[number].add(Pending(record(number, offset, "e")), now=0)
    for number in troubled:
        made[number].failures = 1
    for number in delivering:
        made[number].begin(0.0)
    return made


@pytest.mark.parametrize(
    ("buffered", "troubled", "room"),
    [
        ((MOST - 1,), (), True),
        ((MOST,), (), False),
        ((MOST,), (0,), True),  # the others must go on
        ((MOST, MOST - SHARE - 1), (0,), True),
        ((MOST, MOST - SHARE), (0,), False),
        ((MOST, MOST, MOST, MOST), (0, 1, 2, 3), False),  # and yet the memory has an end
    ],
)
def test_a_troubled_partition_takes_no_room_from_the_others(
    buffered: Sequence[int], troubled: Sequence[int], *, room: bool
) -> None:
    """Whatever it had buffered when its trouble began counts as its share."""
    assert has_room(partitions(*buffered, troubled=troubled), SMALL, now=0) is room


def test_a_troubled_partition_is_held_at_its_share() -> None:
    """One that works is never held."""
    found = held_partitions(partitions(SHARE, SHARE, SHARE - 1, troubled=(0, 2)), SMALL, now=0)
    assert found == {("signal-events", 0)}


@pytest.mark.parametrize(("seconds", "slow"), [(0.9, False), (1.1, True)])
def test_a_slow_partition_takes_no_room_from_the_others(seconds: float, *, slow: bool) -> None:
    """A delivery that lasts longer than a second makes its partition stand, though it may yet succeed."""
    found = partitions(MOST, delivering=[0])
    assert has_room(found, SMALL, now=seconds) is slow
    assert bool(held_partitions(found, SMALL, now=seconds)) is slow
