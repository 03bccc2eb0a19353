"""Log files: bounded in size, shown by name, followed."""

import asyncio
import shutil
from collections import deque
from pathlib import Path

__all__ = ["rotate_for_ever", "rotate_large", "tail"]

_LIMIT_BYTES = 20 * 1024 * 1024  # with one old copy each, thirty logs stay below 1.2 GB
_PERIOD_SECONDS = 10.0


def tail(path: Path, lines: int) -> list[str]:
    """Return the last lines of a log; none when it does not exist yet."""
    if not path.exists():
        return []
    with path.open(errors="replace") as log:
        return [line.rstrip("\n") for line in deque(log, maxlen=lines)]


def rotate_large(folder: Path, limit_bytes: int = _LIMIT_BYTES) -> list[Path]:
    """Copy each log over the limit to `<name>.log.1` and empty it; return those.

    The writers hold their files open in append mode, so they go on at the new beginning. Lines written between the
    copy and the emptying are lost: bounded disk is worth more here than the last debug line.
    """
    large = [log for log in folder.glob("*.log") if log.stat().st_size > limit_bytes]
    for log in large:
        shutil.copyfile(log, log.with_suffix(".log.1"))
        with log.open("r+b") as current:
            current.truncate()
    return large


async def rotate_for_ever(folder: Path) -> None:
    """Keep the logs of a folder bounded until cancelled."""
    while True:
        await asyncio.sleep(_PERIOD_SECONDS)
        await asyncio.to_thread(rotate_large, folder)
