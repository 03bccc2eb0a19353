"""Dead letters for people: look at them, plan their replay, order it, follow it."""

from typing import Annotated

import typer

from signal_pipeline.commands.running import command_settings

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help=__doc__)

_CLIENT = "dlq-client"
_PARTS = "class, code, since, until, partition, offset_from, offset_until, ids; each as part=value"

Filter = Annotated[list[str] | None, typer.Argument(metavar="[PART=VALUE]...", help=_PARTS)]
AsJson = Annotated[bool, typer.Option("--json", help="print replay-dlq's own answer")]


@app.command()
def ls(
    parts: Filter = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="rows of a page")] = 50,
    cursor: Annotated[str | None, typer.Option(help="where the page before ended")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List dead letters, newest failure first."""
    from signal_pipeline.commands.dlq_client import DlqClient  # noqa: PLC0415 - each command imports only its part
    from signal_pipeline.commands.dlq_orders import filter_of  # noqa: PLC0415
    from signal_pipeline.commands.dlq_screen import show_json, show_letters  # noqa: PLC0415

    with command_settings(_CLIENT) as settings:
        page = {"limit": str(limit), **({} if cursor is None else {"cursor": cursor})}
        found = DlqClient(settings).dead_letters({**filter_of(parts or ()), **page})
        show_json(found) if as_json else show_letters(found)


@app.command()
def show(dlq_id: Annotated[str, typer.Argument(metavar="ID")], *, as_json: AsJson = False) -> None:
    """Show one dead letter: why it failed, its headers, the beginning of its value."""
    from signal_pipeline.commands.dlq_client import DlqClient  # noqa: PLC0415
    from signal_pipeline.commands.dlq_orders import dead_letter_id  # noqa: PLC0415
    from signal_pipeline.commands.dlq_screen import show_json, show_letter  # noqa: PLC0415

    with command_settings(_CLIENT) as settings:
        found = DlqClient(settings).dead_letter(dead_letter_id(dlq_id))
        show_json(found) if as_json else show_letter(found)


@app.command()
def plan(
    parts: Filter = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="most dead letters")] = 1000,
    *,
    as_json: AsJson = False,
) -> None:
    """Tell what a replay would do; nothing changes."""
    from signal_pipeline.commands.dlq_client import DlqClient  # noqa: PLC0415
    from signal_pipeline.commands.dlq_orders import filter_of  # noqa: PLC0415
    from signal_pipeline.commands.dlq_screen import show_json, show_plan  # noqa: PLC0415

    with command_settings(_CLIENT) as settings:
        found = DlqClient(settings).plan(filter_of(parts or ()), limit)
        show_json(found) if as_json else show_plan(found)


@app.command()
def replay(
    plan: Annotated[str, typer.Argument(help="what `plan` printed")],
    reason: Annotated[str | None, typer.Option(help="why, for the record")] = None,
    key: Annotated[str | None, typer.Option(help="idempotency key: the same gives the same job")] = None,
    rate: Annotated[int | None, typer.Option(min=1, help="most dead letters a second")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Replay what a plan names, and show the progress; Ctrl-C leaves the job running."""
    from signal_pipeline.commands.dlq_client import DlqClient  # noqa: PLC0415
    from signal_pipeline.commands.dlq_orders import replay as order_and_follow  # noqa: PLC0415

    with command_settings(_CLIENT) as settings:
        client = DlqClient(settings)
        raise typer.Exit(order_and_follow(client, plan, reason=reason, key=key, rate=rate, as_json=as_json))


@app.command()
def jobs(
    words: Annotated[list[str] | None, typer.Argument(metavar="[ID] [pause|resume|cancel]")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List jobs; show one; pause, resume or cancel one: the active one without an id."""
    from signal_pipeline.commands.dlq_client import DlqClient  # noqa: PLC0415
    from signal_pipeline.commands.dlq_orders import chosen_job  # noqa: PLC0415
    from signal_pipeline.commands.dlq_screen import show_job, show_jobs, show_json  # noqa: PLC0415

    with command_settings(_CLIENT) as settings:
        client = DlqClient(settings)
        if not words:
            found = client.jobs()
            show_json(found) if as_json else show_jobs(found["jobs"])
            return
        job_id, action = chosen_job(client, words)
        job = client.switch(job_id, action) if action else client.job(job_id)
        show_json(job) if as_json else show_job(job)
