"""How far the groups are: save it with a backup, put it back, wait until all is read."""

from pathlib import Path
from typing import Annotated

import typer

from signal_pipeline.commands.running import command_settings

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help=__doc__)

_CLIENT = "offsets"
File = Annotated[Path, typer.Argument(metavar="FILE", help="JSON, beside the dump of the database")]


@app.command()
def save(path: File) -> None:
    """Write the committed offsets of every group; before the database is dumped."""
    from signal_pipeline.commands.group_offsets import save_offsets  # noqa: PLC0415 - as in dlq_cli

    with command_settings(_CLIENT) as settings:
        save_offsets(settings, path)


@app.command()
def restore(path: File) -> None:
    """Put every group back to where it was, while no trigger runs: events since then are read again."""
    from signal_pipeline.commands.group_offsets import restore_offsets  # noqa: PLC0415

    with command_settings(_CLIENT) as settings:
        restore_offsets(settings, path)


@app.command()
def again(groups: Annotated[list[str], typer.Argument(metavar="GROUP", help="such as process-signal")]) -> None:
    """Let groups read again all that Kafka holds, while their triggers do not run: for effects that were lost."""
    from signal_pipeline.commands.group_offsets import read_again  # noqa: PLC0415

    with command_settings(_CLIENT) as settings:
        read_again(settings, groups)


@app.command()
def wait(
    seconds: Annotated[float, typer.Option(min=0, help="how long at most")] = 300.0,
) -> None:
    """Wait until every group has read all there is. Exit code 1: it has not in time."""
    from signal_pipeline.commands.group_offsets import wait_for_drained  # noqa: PLC0415

    with command_settings(_CLIENT) as settings:
        if not wait_for_drained(settings, seconds=seconds):
            raise typer.Exit(1)
