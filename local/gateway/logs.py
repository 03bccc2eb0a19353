"""A function's log as faas-cli reads it: one JSON object a line, {name, namespace, instance, timestamp, text}.

history ──▶ old copy, then the log ──▶ since ──▶ the last `tail` lines ──▶ follow: what is written from then on
                                                                              └ emptied by rotation: the rest is in the
                                                                                copy, and the log begins anew
"""

import asyncio
import json
import re
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from local.gateway.routes import NAMESPACE

__all__ = ["Line", "LogFile", "LogQuery", "messages"]

_POLL_SECONDS: Final = 0.2  # a person does not notice it, and a follower costs one look at a file
_CHUNK_BYTES: Final = 256 * 1024
_TIMESTAMP: Final = re.compile(rb'"timestamp":\s*"(\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d))"')
_YES: Final = frozenset(("1", "t", "T", "TRUE", "true", "True"))  # as Go reads a bool; everything else is no


@dataclass(frozen=True, kw_only=True)
class LogQuery:
    """What a client wants to see.

    Attributes:
        name: The function, with or without the namespace.
        instance: Its one process is named as the function is; another name has no lines.
        tail: Most lines of the history; 0 and less for all.
        since: Time before which lines are left out; None for none.
        follow: Whether to go on with what is written afterwards.
    """

    name: str
    instance: str = ""
    tail: int = 0
    since: datetime | None = None
    follow: bool = False

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "LogQuery":
        """Return the query of an address; `ValueError` when one of its parts cannot be read."""
        since = query.get("since")
        return cls(
            name=query["name"] if query.get("name") else _missing("name"),
            instance=query.get("instance", ""),
            tail=int(query.get("tail") or 0),
            since=_time(since) if since else None,
            follow=query.get("follow", "") in _YES,
        )


def _missing(name: str) -> str:
    raise ValueError(f"{name} is missing")


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("a time needs its zone")
    return found


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a log.

    Attributes:
        text: The line.
        at: When it was written; for a line that does not tell, such as one of a stack trace, the time before it.
    """

    text: str
    at: datetime


class LogFile:
    """Reads the complete lines of a log, on and on, through its rotations.

    A rotation copies the log and then empties it. A reader that looks so seldom that it misses a whole copy misses its
    lines; each is 20 MiB.

    Args:
        path: The log; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._old = path.with_suffix(".log.1")
        self._seen = _version(self._old)
        self._offset = 0
        self._rest = b""
        self._at = datetime.fromtimestamp(0, UTC)

    def history(self) -> Iterator[Line]:
        """Yield the lines that are there, the old copy's first."""
        yield from self._lines(_read(self._old, 0))
        while found := list(self.more()):
            yield from found

    def more(self) -> Iterator[Line]:
        """Yield lines that were written since; none when there are none."""
        if self._was_emptied():
            rest, self._offset = _read(self._old, self._offset), 0
            yield from self._lines(rest)
        data = _read(self._path, self._offset, _CHUNK_BYTES)
        self._offset += len(data)
        yield from self._lines(data)

    def _was_emptied(self) -> bool:
        """Tell whether there is a new copy, and the log no longer holds what is in it."""
        (_, size), copied = _version(self._path), _version(self._old)
        if copied == self._seen or size >= copied[1]:  # a copy that is still being written is shorter than the log
            return False
        self._seen = copied
        return True

    def _lines(self, data: bytes) -> Iterator[Line]:
        *whole, self._rest = (self._rest + data).split(b"\n")
        for line in whole:
            if (found := _TIMESTAMP.search(line)) is not None:
                self._at = datetime.fromisoformat(found[1].decode())
            yield Line(text=line.decode(errors="replace"), at=self._at)


def _version(path: Path) -> tuple[int, int]:
    """Return time of change and size of a file; zeros when there is none."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return 0, 0
    return stat.st_mtime_ns, stat.st_size


def _read(path: Path, offset: int, most: int = -1) -> bytes:
    try:
        with path.open("rb") as log:
            log.seek(offset)
            return log.read(most)
    except FileNotFoundError:
        return b""


async def messages(log: LogFile, query: LogQuery, *, name: str) -> AsyncIterator[bytes]:
    """Yield the lines as JSON, the history first; with `follow` for ever.

    Args:
        log: The function's log.
        query: Which lines.
        name: Name of the function, and of its one process.
    """
    if query.instance not in {"", name}:
        return

    def history() -> list[Line]:
        wanted = (line for line in log.history() if query.since is None or line.at >= query.since)
        return list(deque(wanted, maxlen=query.tail if query.tail > 0 else None))

    for line in await asyncio.to_thread(history):
        yield _message(name, line)
    while query.follow:
        found = await asyncio.to_thread(lambda: list(log.more()))
        for line in found:
            yield _message(name, line)
        if not found:
            await asyncio.sleep(_POLL_SECONDS)


def _message(name: str, line: Line) -> bytes:
    told = {
        "name": name,
        "namespace": NAMESPACE,
        "instance": name,
        "timestamp": line.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "text": line.text,
    }
    return json.dumps(told, ensure_ascii=False).encode() + b"\n"
