"""The command line of the local run: arguments in, exit status out."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from local import commands, console, control, log_lines
from local.components.table import INFRASTRUCTURE, all_services
from local.daemon import run_daemon
from local.generated import generated_files
from local.health import show_health
from local.layout import ROOT, Layout
from local.picture import write_picture
from local.registry import Registry
from local.secure.state import is_secured, secure
from local.service import Unusable
from local.supervisor import Refused
from signal_pipeline.commands.running import command_settings
from signal_pipeline.errors import ConfigurationError
from signal_pipeline.secured_state import secured_folder
from signal_pipeline.settings import Settings, load_settings

__all__ = ["app"]

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)
_Service = Annotated[str, typer.Argument(help="name of a service, as `status` shows it")]


def _context() -> tuple[Settings, Layout]:
    os.chdir(ROOT)  # .env and relative paths are the repository's
    try:
        settings = load_settings()
    except ValidationError as exc:
        raise Refused("\n".join(map(_explained, exc.errors()))) from exc
    except ConfigurationError as exc:
        raise Refused(str(exc)) from exc
    return settings, Layout.of(settings.state_dir)


def _explained(error: ErrorDetails) -> str:
    variable = "".join(f"{part}: " for part in error["loc"]).upper()
    return variable + error["msg"].removeprefix("Value error, ")


def _run(action: Callable[[Settings, Layout], bool | None]) -> None:
    """Do the action; a refusal is an error message and exit status 1."""
    try:
        settings, layout = _context()
        good = action(settings, layout)
    except (Refused, Unusable, control.SupervisorGone, ConfigurationError, OSError) as exc:
        if isinstance(exc, Refused) and exc.service:
            console.show_log_end(layout.logs / f"{exc.service}.log")
        console.fail(str(exc))
        raise typer.Exit(1) from exc
    if good is False:
        raise typer.Exit(1)


@app.command()
def up(
    only: Annotated[str, typer.Option(help="comma-separated services, or `infra`; what they need starts too")] = "",
    *,
    secured: Annotated[bool, typer.Option("--secure", help="with TLS and credentials everywhere, from now on")] = False,
) -> None:
    """Start the pipeline, wait until it is ready, show it."""

    def action(settings: Settings, layout: Layout) -> None:
        if secured or is_secured(layout):
            secure(settings, layout)
            load_settings.cache_clear()
            settings = load_settings()
        known = [service.name for service in all_services(settings, layout)]
        wanted = [part for name in only.split(",") for part in (INFRASTRUCTURE if name == "infra" else (name,))]
        commands.up(layout, wanted if only else known)
        if is_secured(layout):
            console.show_secured(settings, secured_folder(layout.state))

    _run(action)


@app.command()
def down() -> None:
    """Stop the pipeline; data stays."""
    _run(lambda _, layout: commands.down(layout))


@app.command()
def clean() -> None:
    """Stop the pipeline and delete its data; downloads stay."""
    _run(lambda _, layout: commands.clean(layout))


@app.command()
def status() -> None:
    """Show all services; exit 1 when the pipeline is down."""
    _run(lambda _, layout: commands.status(layout))


@app.command()
def health(
    wait: Annotated[float, typer.Option(help="seconds within which all must serve")] = 0.0,
) -> None:
    """Ask every component whether it serves; exit 1 when one does not."""
    _run(lambda settings, _: show_health(settings, wait))


@app.command()
def logs(
    service: Annotated[str, typer.Argument(help="a service; all without it")] = "*",
    *,
    lines: Annotated[int, typer.Option(help="lines of each log to begin with")] = 20,
    follow: Annotated[bool, typer.Option(help="go on until Ctrl-C")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="lines as they are written, also on a terminal")] = False,
) -> None:
    """Show logs and follow them: readable on a terminal, elsewhere as they are written."""

    def action(_: Settings, layout: Layout) -> None:
        files = sorted(map(str, layout.logs.glob(f"{service}.log")))
        if not files:
            raise Refused(f"no log of {service!r} in {layout.logs}; see: make status")
        command = ["tail", "-n", str(lines), *(["-F"] if follow else []), "--", *files]
        if sys.stdout.isatty() and not as_json:
            log_lines.follow(command, console.OUT)
        else:
            os.execvp("tail", command)  # noqa: S606

    _run(action)


def _on_service(command: str, help_text: str) -> None:
    def run(service: _Service) -> None:
        def action(_: Settings, layout: Layout) -> None:
            for change in control.request(layout, command, [service]):
                console.show_change(change)

        _run(action)

    run.__doc__ = help_text
    app.command(command)(run)


_on_service("start", "Start one service and what it needs.")
_on_service("stop", "Stop one service; it stays stopped until it is started or the pipeline is.")
_on_service("restart", "Stop and start one service.")


@app.command()
def enable(service: _Service) -> None:
    """Switch a service on for good, now if the pipeline runs."""
    _run(lambda _, layout: _switch(layout, service, disabled=False))


@app.command()
def disable(service: _Service) -> None:
    """Switch a service off for good: it stays off when the pipeline is started again."""
    _run(lambda _, layout: _switch(layout, service, disabled=True))


def _switch(layout: Layout, service: str, *, disabled: bool) -> None:
    state = "off" if disabled else "on"
    try:
        list(control.request(layout, "disable" if disabled else "enable", [service]))
        console.OUT.print(f"{service} is {state}")
    except control.SupervisorGone:
        layout.make()
        Registry(layout).set_disabled(service, disabled=disabled)
        console.OUT.print(f"{service} will be {state} when the pipeline is started")


@app.command(hidden=True)
def generate() -> None:
    """Write what is generated and committed: the containers' configuration, .env.example, the pages of docs."""
    for path, text in generated_files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@app.command(hidden=True)
def picture(
    path: Annotated[Path, typer.Argument(help="SVG to write")],
    begin: Annotated[float, typer.Option(help="first moment, in seconds since 1970")],
    end: Annotated[float, typer.Option(help="last moment")],
    mark: Annotated[list[str] | None, typer.Option(help="begin,end,text of a stretch to shade")] = None,
) -> None:
    """Draw what the overview dashboard shows of a stretch of time, from Prometheus' data."""
    _run(lambda settings, _: write_picture(settings, path, (begin, end), mark or ()))


@app.command(hidden=True)
def gateway() -> None:
    """Be the gateway; the supervisor starts it."""
    from local.gateway.main import serve  # noqa: PLC0415 - a web framework comes with it; other commands need none

    with command_settings("gateway") as settings:
        serve(settings, Layout.of(settings.state_dir))


@app.command(hidden=True)
def supervise() -> None:
    """Be the supervisor; `up` starts it."""
    _run(lambda settings, layout: run_daemon(all_services(settings, layout), layout))
