"""Processes by identity: a process id alone may have been given to a stranger since it was written down."""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Identity", "identify", "is_alive", "memory_bytes", "send", "started_at", "stop_orphan"]

_POLL_SECONDS = 0.05


@dataclass(frozen=True, kw_only=True)
class Identity:
    """One process of this boot.

    Attributes:
        pid: Process id.
        start: Start time as the kernel counts it, in clock ticks since boot: with the pid it names one process.
    """

    pid: int
    start: int


def identify(pid: int) -> Identity | None:
    """Return the identity of a running process; None when there is none, or only its unreaped remains."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command, in brackets, may hold blanks and brackets itself; the state is the first field after the last one.
    fields = stat.rpartition(")")[2].split()
    state, start = fields[0], int(fields[19])
    return None if state in {"Z", "X"} else Identity(pid=pid, start=start)


def started_at(pid: int) -> float | None:
    """Return when a process began, in seconds since 1970; None when it is gone."""
    process = identify(pid)
    if process is None:
        return None
    stat = Path("/proc/stat").read_text()
    booted = next(int(line.split()[1]) for line in stat.splitlines() if line.startswith("btime "))
    return booted + process.start / os.sysconf("SC_CLK_TCK")


def is_alive(process: Identity) -> bool:
    """Tell whether that very process runs still."""
    return identify(process.pid) == process


def send(process: Identity, signum: signal.Signals, *, group: bool = False) -> None:
    """Send a signal to the process, or to its whole group; a process that is gone, or a stranger, gets none."""
    if not is_alive(process):
        return
    with suppress(ProcessLookupError):
        (os.killpg if group else os.kill)(process.pid, signum)


def stop_orphan(process: Identity, signum: signal.Signals, seconds: float) -> None:
    """Stop a process whose supervisor is gone: politely, then after `seconds` with its whole group by force."""
    send(process, signum)
    if not _gone_within(process, seconds):
        send(process, signal.SIGKILL, group=True)
        _gone_within(process, seconds)


def _gone_within(process: Identity, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_alive(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def memory_bytes(pid: int) -> int:
    """Return the resident memory of a process; 0 when it is gone."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
