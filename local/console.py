"""What a person sees: a line for each change, a table at the end."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from local.logs import tail
from signal_pipeline.settings import Settings

__all__ = ["OUT", "fail", "show_change", "show_log_end", "show_next", "show_secured", "show_table"]

# A pipe has no width; wide enough for the table keeps every address whole.
OUT = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 160)
_ERR = Console(stderr=True, highlight=False, soft_wrap=True)
_STYLES = {"ready": "green", "done": "green", "backoff": "yellow", "failed": "red", "stopped": "dim", "off": "dim"}
_LOG_LINES = 15
_NAME_WIDTH = 22  # of the longest name, detect-anomaly-trigger
_MIB = 1024 * 1024


def show_change(change: dict[str, Any]) -> None:
    """Print a service's change of state, if a person waits for it."""
    name, state = change["service"], change["state"]
    if state in {"ready", "done"}:
        OUT.print(f"  {name:<{_NAME_WIDTH + 2}}[green]{state}[/]{change['seconds']:>10.1f} s")
    elif state in {"backoff", "failed"}:
        OUT.print(f"  {name:<{_NAME_WIDTH + 2}}[{_STYLES[state]}]{state}[/]  {change['reason']}", markup=True)
    elif state == "stopped":
        OUT.print(f"  {name:<{_NAME_WIDTH + 2}}stopped")


def show_table(snapshots: Iterable[dict[str, Any]]) -> None:
    """Print one line per service: state, process, memory, restarts, address."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("component", min_width=_NAME_WIDTH)
    table.add_column("state", min_width=9)
    for title in ("pid", "memory", "restarts"):
        table.add_column(title, justify="right", min_width=8)
    table.add_column("address", no_wrap=True)
    for each in snapshots:
        state = "off" if each["switched_off"] else each["state"]
        memory = f"{each['memory'] // _MIB} MiB" if each["memory"] else ""
        shown = (str(each["pid"] or ""), memory, str(each["restarts"] or ""), each["url"])
        table.add_row(each["service"], f"[{_STYLES.get(state, 'cyan')}]{state}[/]", *shown)
    OUT.print(table)


def show_next() -> None:
    """Print what to do with a pipeline that was just started."""
    OUT.print("\nnext: make load · make health · make db-stats · make logs · make emit-off · make down · make help")


def show_secured(settings: Settings, folder: Path) -> None:
    """Print where the secrets of a secured pipeline are, and how to call it with them; never a secret itself."""
    key = f"$(sed -n s/^EMIT_API_KEY=//p {folder / 'operator.env'})"
    OUT.print(f"\nsecured: certificates and secrets are in {folder}, for you only; the commands find them there")
    OUT.print(f'curl --cacert {folder / "ca.pem"} -H "X-API-Key: {key}" -X POST {settings.function_url("emit")}/emit')


def show_log_end(log: Path) -> None:
    """Print the last lines of a log, and where the rest is."""
    lines = tail(log, _LOG_LINES)
    if lines:
        _ERR.print(f"last lines of {log}:", style="bold")
        for line in lines:
            _ERR.print(f"  {line}", markup=False)


def fail(message: str) -> None:
    """Print an error; the caller exits."""
    for number, line in enumerate(message.splitlines()):
        _ERR.print(("error: " if number == 0 else "       ") + line, style="red", markup=False)
