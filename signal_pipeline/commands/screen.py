"""What a person sees of a command: tables on standard output, progress on standard error.

On a terminal progress is a moving bar; elsewhere it is a plain line every few seconds, so that logs stay readable.
"""

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final, Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

__all__ = ["OUT", "Advance", "Cell", "cell", "duration", "instant", "make_table", "progress", "show_table", "size"]

_FILE_COLUMNS: Final = 240  # a file has no width: tables are not folded in it
OUT: Final = Console(highlight=False, emoji=False, soft_wrap=True, width=None if sys.stdout.isatty() else _FILE_COLUMNS)
_ERR: Final = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)
_PLAIN_SECONDS: Final = 5.0
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")
_STEP: Final = 1024
_MINUTE: Final = 60
_HOUR: Final = 3600

Cell = str | int | float | bool | datetime | None


class Advance(Protocol):
    """Tells how far a piece of work is."""

    def __call__(self, done: int, /) -> None:
        """Set the work that is done, in the unit of the total."""


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Print a table; columns of numbers are aligned to the right."""
    table = make_table(title, columns, rows)
    OUT.print(table)
    if not table.row_count:
        OUT.print("none")
    OUT.print()


def make_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Table:
    """Return the table that `show_table` prints."""
    found = list(rows)
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="dim")
    for number, column in enumerate(columns):
        is_number = any(isinstance(row[number], int | float) for row in found)
        table.add_column(column, justify="right" if is_number else "left", overflow="fold")
    for row in found:
        table.add_row(*(escape(cell(value)) for value in row))
    return table


def cell(value: Cell) -> str:
    """Write one value: `1,234`, `0.25`, `yes`, a time in UTC, `-` for nothing."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    if isinstance(value, float):
        return f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else value


def instant(value: datetime | str | None) -> datetime | None:
    """Return a time that comes out of a table, or as RFC 3339 text over HTTP."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def size(number: int | None) -> str | None:
    """Write a number of bytes in the unit that fits.

    >>> size(3 * 1024 * 1024 // 2)
    '1.5 MiB'
    """
    if number is None:
        return None
    scaled, unit = float(number), _UNITS[0]
    for unit in _UNITS:  # noqa: B007 - the unit at which the loop ends is the answer
        if abs(scaled) < _STEP:
            break
        scaled /= _STEP
    else:
        scaled *= _STEP
    return f"{scaled:.0f} {unit}" if unit == "B" else f"{scaled:.1f} {unit}"


def duration(seconds: float | None) -> str | None:
    """Write a duration in the unit that fits.

    >>> duration(90)
    '1 min 30 s'
    """
    if seconds is None:
        return None
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    if seconds < _HOUR:
        return f"{int(seconds // _MINUTE)} min {int(seconds % _MINUTE)} s"
    return f"{int(seconds // _HOUR)} h {int(seconds % _HOUR // _MINUTE)} min"


@contextmanager
def progress(label: str, total: int) -> Iterator[Advance]:
    """Lend a function that shows how much of `total` is done."""
    if not _ERR.is_terminal:
        yield _plain_lines(label, total)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=_ERR, transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda done: bar.update(task, completed=done)


def _plain_lines(label: str, total: int) -> Advance:
    shown_at = time.monotonic()

    def advance(done: int) -> None:
        nonlocal shown_at
        if time.monotonic() - shown_at >= _PLAIN_SECONDS:
            shown_at = time.monotonic()
            _ERR.print(f"{label}: {done:,} of {total:,}", markup=False)

    return advance
