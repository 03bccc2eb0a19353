"""`offsets`: how far the groups are, kept beside a backup of the database, and put back with it.

save      committed offsets ──▶ file, before the dump begins: whatever lies before them is in the dump
again     first record that Kafka holds ──▶ committed
restore   file ──▶ earlier of saved and present, within what Kafka holds ──▶ committed: triggers read on from there
wait      lag of every group ──▶ 0

A group only ever goes back. What is read twice changes nothing, and what lies before the saved offset is in the dump.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from signal_pipeline.broker.group_commit import commit_for_group
from signal_pipeline.commands.kafka_offsets import KafkaOffsets, Range, unread
from signal_pipeline.commands.kafka_tables import READERS
from signal_pipeline.commands.screen import OUT, Cell, show_table
from signal_pipeline.errors import ConfigurationError
from signal_pipeline.settings import Settings

__all__ = ["Move", "move_of", "read_again", "restore_offsets", "save_offsets", "wait_for_drained"]

_MEMBERS_SECONDS: Final = 30.0  # a broker that has just started knows its old members until their sessions end
_POLL_SECONDS: Final = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """Where one partition of a group is put.

    Attributes:
        offset: Next offset to read.
        again: Records that are read again.
        gone: Records after the saved offset that Kafka no longer holds: they are lost unless somebody sends them again.
    """

    offset: int
    again: int
    gone: int


def move_of(saved: int | None, present: int | None, held: Range) -> Move:
    """Return where a partition goes; a saved offset beyond the end belongs to a topic that was made anew.

    >>> move_of(40, 90, Range(begin=60, end=100))
    Move(offset=60, again=30, gone=20)
    """
    wanted = 0 if saved is None else saved
    if wanted > held.end:
        wanted = held.begin
    if present is not None:
        wanted = min(wanted, present)
    offset = max(wanted, held.begin)
    known = held.begin if present is None else min(max(present, held.begin), held.end)
    return Move(offset=offset, again=max(known - offset, 0), gone=0 if saved is None else offset - wanted)


def save_offsets(settings: Settings, path: Path) -> None:
    """Write the committed offsets of every group; `PipelineError` when the broker does not answer."""
    offsets = KafkaOffsets(settings)
    groups = {group: offsets.committed(group, topic.name) for group, topic in READERS}
    content = {"saved_at": datetime.now(UTC).isoformat(), "groups": groups}
    path.write_text(json.dumps(content, indent=2) + "\n")
    OUT.print(f"the offsets of {len(groups)} groups are in {path}; dump the database after this, not before")


def restore_offsets(settings: Settings, path: Path) -> None:
    """Put every group back to where it was, or to the first record that Kafka still holds.

    Raises:
        ConfigurationError: the file is none that `save_offsets` wrote.
        Conflict: a trigger still runs; groups before it in the table are put back already, and a repeat does the rest.
        DependencyUnavailable: the broker does not answer.
    """
    _put_back(settings, _saved(path))


def read_again(settings: Settings, groups: Sequence[str]) -> None:
    """Put groups back to the first record that Kafka still holds: after their effects were lost.

    Raises:
        ConfigurationError: there is no such group.
        Conflict: a trigger still runs; groups before it are put back already, and a repeat does the rest.
        DependencyUnavailable: the broker does not answer.
    """
    known = {group for group, _ in READERS}
    if unknown := [group for group in groups if group not in known]:
        raise ConfigurationError(f"no group {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    _put_back(settings, {group: {} for group in groups})


def _put_back(settings: Settings, saved: Mapping[str, Mapping[int, int | None]]) -> None:
    """Move groups, and print what they read again; a partition without an offset goes back to its beginning."""
    offsets, rows, gone = KafkaOffsets(settings), list[tuple[Cell, ...]](), 0
    for group, topic in READERS:
        if group not in saved:
            continue
        held, present = offsets.ranges(topic.name), offsets.committed(group, topic.name)
        moves = {number: move_of(saved[group].get(number), present[number], span) for number, span in held.items()}
        targets = {(topic.name, number): move.offset for number, move in moves.items()}
        commit_for_group(settings, group, targets, wait_seconds=_MEMBERS_SECONDS)
        rows += [(group, topic.name, number, move.offset, move.again, move.gone) for number, move in moves.items()]
        gone += sum(move.gone for move in moves.values())
    show_table("Groups", ("group", "topic", "partition", "reads from", "again", "gone from Kafka"), rows)
    if gone:
        OUT.print(f"{gone:,} records after the backup are no longer in Kafka: their senders must send them again")


def wait_for_drained(settings: Settings, *, seconds: float) -> bool:
    """Wait until every group has read all there is; false, with the lag of each, when it has not in time."""
    deadline = time.monotonic() + seconds
    offsets = KafkaOffsets(settings)
    while any((behind := dict(_lags(offsets))).values()):
        if time.monotonic() >= deadline:
            show_table("Groups that are behind", ("group", "lag"), [row for row in behind.items() if row[1]])
            return False
        time.sleep(_POLL_SECONDS)
    OUT.print("every group has read all there is")
    return True


def _lags(offsets: KafkaOffsets) -> Iterator[tuple[str, int]]:
    for group, topic in READERS:
        behind = unread(offsets.ranges(topic.name), offsets.committed(group, topic.name))
        yield group, sum(span.records for span in behind.values())


def _saved(path: Path) -> Mapping[str, Mapping[int, int | None]]:
    """Return the offsets of each group by partition."""
    try:
        content: dict[str, Any] = json.loads(path.read_text())
        groups = content["groups"]
        return {group: {int(number): at for number, at in groups[group].items()} for group, _ in READERS}
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ConfigurationError(f"{path} is no file that `offsets save` wrote") from exc
