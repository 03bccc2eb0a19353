"""Lines of logs as a person reads them: `time level service event key=value`, in colours where there are colours.

A line that is no JSON object of ours (of Kafka, PostgreSQL, a stack trace) is shown as it is.
"""

import json
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

__all__ = ["follow", "readable", "shown_lines"]

_STYLES = {
    "debug": "dim",
    "info": "green",
    "warning": "yellow",
    "error": "red",
    "critical": "bold red",
}
_LEVEL_WIDTH = 8  # of the longest, critical
_FIRST = ("timestamp", "level", "role", "event")
_HEADER = "==> "  # tail's line before the lines of another file


def readable(line: str, service: str = "") -> Text:
    """Return a line for a person.

    Args:
        line: One line of a log, without its end.
        service: Whose log it is; empty when the reader knows. The line's own role counts when it tells none.
    """
    found = _parsed(line)
    if found is None:
        return Text(f"{service} {line}" if service else line)
    level = str(found["level"])
    text = Text(f"{found.get('timestamp', '')} ")
    text.append(f"{level:<{_LEVEL_WIDTH}} ", style=_STYLES.get(level, ""))
    text.append(f"{service or found.get('role', '')} ", style="cyan")
    text.append(str(found["event"]), style="bold")
    for name, value in found.items():
        if name not in _FIRST and value is not None:
            text.append(f" {name}=", style="dim")
            text.append(_value(value))
    return text


def shown_lines(lines: Iterable[str]) -> Iterator[Text]:
    """Return what `tail` prints of several files, readable: its headers become the service of the lines below them."""
    service = ""
    for line in lines:
        text = line.rstrip("\n")
        if text.startswith(_HEADER) and text.endswith(" <=="):
            service = Path(text.removeprefix(_HEADER).removesuffix(" <==")).stem
        elif text:
            yield readable(text, service)


def follow(command: Sequence[str], console: Console) -> None:
    """Run `tail` and print its lines readable, until it ends or Ctrl-C."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace") as tail:
        try:
            for line in shown_lines(tail.stdout or ()):
                console.print(line)
        except KeyboardInterrupt:
            tail.terminate()  # the way out


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and {"level", "event"} <= found.keys() else None


def _value(value: Any) -> str:
    """Return a value in one line unless it has several: a stack trace is read as such."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
