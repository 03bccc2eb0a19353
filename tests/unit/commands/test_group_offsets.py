"""Where a group is put that goes with a restored database: never forward, never before what Kafka holds."""

from pathlib import Path

import pytest

from signal_pipeline.commands.group_offsets import Move, move_of, restore_offsets
from signal_pipeline.commands.kafka_offsets import Range
from signal_pipeline.errors import ConfigurationError
from signal_pipeline.settings import Settings

HELD = Range(begin=60, end=100)


@pytest.mark.parametrize(
    ("saved", "present", "expected"),
    [
        pytest.param(70, 90, Move(offset=70, again=20, gone=0), id="back to what was saved"),
        pytest.param(90, 70, Move(offset=70, again=0, gone=0), id="never forward"),
        pytest.param(40, 90, Move(offset=60, again=30, gone=20), id="retention has taken the rest"),
        pytest.param(40, 50, Move(offset=60, again=0, gone=20), id="retention has taken all that was unread too"),
        pytest.param(None, 90, Move(offset=60, again=30, gone=0), id="nothing was read when it was saved"),
        pytest.param(70, None, Move(offset=70, again=0, gone=0), id="the group is new to this broker"),
        pytest.param(500, 90, Move(offset=60, again=30, gone=0), id="the topic was made anew"),
        pytest.param(100, 100, Move(offset=100, again=0, gone=0), id="all is read"),
    ],
)
def test_a_group_only_goes_back(saved: int | None, present: int | None, expected: Move) -> None:
    """A group reads on from the earlier of what was saved and what is committed, within what the broker holds."""
    assert move_of(saved, present, HELD) == expected


@pytest.mark.parametrize("content", ["", "[]", '{"groups": {}}', '{"groups": {"process-signal": {"a": 1}}}'])
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    """A file that `offsets save` did not write is refused by name, before any group is moved."""
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=r"other\.json"):
        restore_offsets(Settings(_env_file=None), path)
