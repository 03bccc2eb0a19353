"""Log lines that name an id: the ends of the local run's log files, read backwards no further than a bound."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from signal_pipeline.commands.trace_store import Moment

__all__ = ["Wanted", "last_lines", "log_moments"]

_READ_BYTES: Final = 4 * 1024 * 1024  # of each file: with thirty logs that is about half a second of reading
_LONG: Final = 16  # a shorter id is looked for as a whole value: "7" is part of too much
_UTC_TIME: Final = "timestamp"
_OF_EVERY_LINE: Final = frozenset({"event", "level", "role"})  # words of ours: an event may be called "info" too


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What a log line may name.

    Attributes:
        ids: Ids of any kind; a long one may be part of a text, as the trace id is of a traceparent.
        places: Topic, partition and offset of records.
    """

    ids: frozenset[str]
    places: frozenset[tuple[str, int, int]] = frozenset()


def log_moments(folder: Path, wanted: Wanted, *, read_bytes: int = _READ_BYTES) -> list[Moment]:
    """Return the lines of a folder's logs that name what is wanted; none when there is no such folder."""
    return [
        moment
        for path in sorted(folder.glob("*.log"))
        for line in last_lines(path, read_bytes)
        if (moment := _moment(path.stem, line, wanted)) is not None
    ]


def last_lines(path: Path, read_bytes: int) -> list[bytes]:
    """Return the whole lines among the last bytes of a file."""
    with path.open("rb") as log:
        begin = max(log.seek(0, 2) - read_bytes - 1, 0)
        log.seek(begin)
        lines = log.read().split(b"\n")
    return lines[1:] if begin else lines  # what stands before the first line end belongs to a line that is cut


def _moment(log: str, line: bytes, wanted: Wanted) -> Moment | None:
    """Return a line as a moment; None when it names nothing wanted, or is none of our lines."""
    if not line.startswith(b"{"):
        return None
    try:
        facts = orjson.loads(line)
        at = datetime.fromisoformat(facts.pop(_UTC_TIME))
    except (ValueError, KeyError, TypeError):  # a line of another program, or one that is still being written
        return None
    if not _names(facts, wanted):
        return None
    what = f"log: {facts.pop('event', 'line')}"
    return Moment(at=at if at.tzinfo else at.replace(tzinfo=UTC), what=what, id=log, facts=facts)


def _names(facts: Mapping[str, Any], wanted: Wanted) -> bool:
    place = (facts.get("topic"), facts.get("partition"), facts.get("offset"))
    return place in wanted.places or any(
        _is_named(text, wanted.ids)
        for name, fact in facts.items()
        if name not in _OF_EVERY_LINE
        for text in _texts([fact])
    )


def _is_named(text: str, ids: Collection[str]) -> bool:
    return text in ids or any(len(one) >= _LONG and one in text for one in ids)


def _texts(values: Iterable[Any]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            yield from _texts(value.values())
        elif isinstance(value, list):
            yield from _texts(value)
