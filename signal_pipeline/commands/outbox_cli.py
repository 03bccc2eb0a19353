"""The outbox for people: what to do when Debezium has lost its place."""

from datetime import timedelta
from typing import Annotated

import typer

from signal_pipeline.commands.running import command_settings

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help=__doc__)


@app.callback()
def outbox() -> None:
    """Repair the outbox."""


@app.command()
def republish(
    older_than: Annotated[float, typer.Option(min=0, help="seconds; younger rows may be on their way")] = 60.0,
) -> None:
    """Publish again what nobody confirmed, while the connector cannot."""
    from signal_pipeline.commands.outbox_republish import republish as publish  # noqa: PLC0415 - as in dlq_cli

    with command_settings("outbox") as settings:
        publish(settings, older_than=timedelta(seconds=older_than))


@app.command()
def reconnect(
    force: Annotated[bool, typer.Option("--force", help="begin anew although the slot is there")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Let Debezium begin anew, with a new slot: for the loss of the old one. It sends what nobody confirmed."""
    from signal_pipeline.commands.outbox_reconnect import reconnect as begin_anew  # noqa: PLC0415

    with command_settings("outbox") as settings:
        begin_anew(settings, force=force)
        typer.echo("the connector runs again, with a new slot; outbox-status shows what waits")
