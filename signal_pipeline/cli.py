"""The command line: starts the parts of the product and asks about them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import ValidationError

from signal_pipeline.errors import PipelineError
from signal_pipeline.observability.logs import configure_logs
from signal_pipeline.settings import Settings, load_settings
from signal_pipeline.topology import role_named

__all__ = ["app"]

_SQL: Final = Path("sql")

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)


@contextmanager
def _settings(role: str) -> Iterator[Settings]:
    """Lend the settings; turn an expected fault into one line on standard error and exit code 1."""
    try:
        settings = load_settings()
        configure_logs(role=role, level=settings.log_level)
        yield settings
    except ValidationError as exc:
        lines = [f"{'.'.join(map(str, error['loc'])).upper() or 'settings'}: {error['msg']}" for error in exc.errors()]
        raise _stopped("\n".join(lines)) from None
    except (PipelineError, LookupError, OSError) as exc:
        raise _stopped(str(exc)) from exc


def _stopped(message: str) -> typer.Exit:
    print(f"signal-pipeline: {message}", file=sys.stderr)  # noqa: T201 - the answer of a command
    return typer.Exit(1)


Role = Annotated[str, typer.Argument(help="emit, process-signal, detect-anomaly, replay-dlq, confirm-outbox or auth")]


@app.command()
def serve(role: Role) -> None:
    """Serve a function over HTTP."""
    from signal_pipeline.roles.application import application  # noqa: PLC0415 - each command imports only its part
    from signal_pipeline.serving.server import serve as serve_function  # noqa: PLC0415

    with _settings(role) as settings:
        serve_function(role_named(role), application(role), settings)


@app.command()
def trigger(role: Role) -> None:
    """Run the trigger of a function: triggers/<role>.yaml."""
    from signal_pipeline.trigger.main import run  # noqa: PLC0415

    with _settings(f"{role}-trigger") as settings:
        raise typer.Exit(run(role_named(role).name, settings))


@app.command()
def migrate() -> None:
    """Bring the database schema up to date."""
    from signal_pipeline.store.migrator import migrate as apply_migrations  # noqa: PLC0415

    with _settings("migrate") as settings:
        applied = apply_migrations(settings.database_url.get_secret_value(), _SQL)
        typer.echo("\n".join(f"applied {name}" for name in applied) or "the schema is up to date")


@app.command()
def topics() -> None:
    """Create the Kafka topics and correct their settings."""
    from signal_pipeline.broker.admin import apply_topics  # noqa: PLC0415

    with _settings("topics") as settings:
        changes = apply_topics(settings)
        done = {"created": changes.created, "grown": changes.grown, "altered": changes.altered}
        lines = [f"{change} {name}" for change, names in done.items() for name in names]
        typer.echo("\n".join(lines) or "the topics are up to date")


@app.command()
def connector() -> None:
    """Apply the Debezium connector and wait until it runs."""
    from signal_pipeline.broker.connector import apply_connector  # noqa: PLC0415

    with _settings("connector") as settings:
        apply_connector(settings)
        typer.echo("outbox-connector is running")
