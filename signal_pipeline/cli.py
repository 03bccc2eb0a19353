"""The command line: starts the parts of the product and asks about them."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

import typer

from signal_pipeline.commands import access_cli, dlq_cli, offsets_cli, outbox_cli
from signal_pipeline.commands.running import command_settings
from signal_pipeline.resources import SQL
from signal_pipeline.topology import ROLES, role_named

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(dlq_cli.app, name="dlq")
app.add_typer(outbox_cli.app, name="outbox")
app.add_typer(offsets_cli.app, name="offsets")
app.add_typer(access_cli.app, name="access")

_ROLES: Final = "emit, process-signal, detect-anomaly, replay-dlq, confirm-outbox or auth"
# Platforms that cannot give arguments to an image choose by environment.
Role = Annotated[str, typer.Argument(envvar="ROLE", metavar="ROLE", help=_ROLES)]


@app.command()
def serve(
    role: Role,
    port: Annotated[
        int | None, typer.Option(envvar="PORT", min=1, max=65_535, help="where; the role's own port without")
    ] = None,
) -> None:
    """Serve a function over HTTP: a role, one of your own under functions/, or as kafka-connector that command."""
    if role == "kafka-connector":  # OpenFaaS gives an image no arguments: there ROLE alone chooses
        return kafka_connector(port)
    if role not in {one.name for one in ROLES}:
        return _serve_own(role, port)
    from signal_pipeline.roles.application import application  # noqa: PLC0415 - each command imports only its part
    from signal_pipeline.serving.server import serve as serve_function  # noqa: PLC0415

    with command_settings(role) as settings:
        return serve_function(role_named(role), application(role), settings, port=port or settings.port(role))


def _serve_own(name: str, port: int | None) -> None:
    from signal_pipeline.serving.own_function import serve_own_function  # noqa: PLC0415

    with command_settings(name) as settings:
        serve_own_function(name, settings, port=port)


@app.command()
def trigger(role: Role) -> None:
    """Run the trigger of a function: triggers/<role>.yaml."""
    from signal_pipeline.trigger.main import run  # noqa: PLC0415

    with command_settings(f"{role}-trigger") as settings:
        raise typer.Exit(run(role_named(role).name, settings))


@app.command("kafka-connector")
def kafka_connector(
    port: Annotated[
        int | None, typer.Option(envvar="PORT", min=1, max=65_535, help="of its page; KAFKA_CONNECTOR_PORT without")
    ] = None,
) -> None:
    """Call the functions of an OpenFaaS gateway for the topics that their annotation `topic` names."""
    from signal_pipeline.trigger.openfaas.main import CONNECTOR, run  # noqa: PLC0415

    with command_settings(CONNECTOR) as settings:
        raise typer.Exit(run(settings, port=port or settings.kafka_connector_port))


@app.command()
def migrate() -> None:
    """Bring the database schema up to date, and the logins of DATABASE_LOGINS_FILE."""
    from signal_pipeline.store.migrator import migrate as apply_migrations  # noqa: PLC0415

    with command_settings("migrate") as settings:
        url = settings.database_url.get_secret_value()
        applied = apply_migrations(url, SQL)
        typer.echo("\n".join(f"applied {name}" for name in applied) or "the schema is up to date")
        if settings.database_logins_file:
            from signal_pipeline.commands.access_tables import make_logins  # noqa: PLC0415

            make_logins(url, settings.database_logins_file)


@app.command()
def certificates(
    folder: Annotated[Path, typer.Argument(help="where they are, and are made")],
    host: Annotated[list[str] | None, typer.Option(help="name or address of the server; this machine without")] = None,
) -> None:
    """Make an authority of one's own, a certificate of a server and one of a client; what is good stays."""
    from signal_pipeline.commands.certificates import make_certificates  # noqa: PLC0415

    with command_settings("certificates"):
        make_certificates(folder, host)


@app.command()
def maintain(
    retention: Annotated[
        int | None, typer.Option(min=0, help="seconds of rows to keep; RETENTION_SECONDS without")
    ] = None,
) -> None:
    """Do now what the schedule does: delete rows past their age, keep up indexes and statistics."""
    from signal_pipeline.commands.maintain import maintain as maintain_tables  # noqa: PLC0415

    with command_settings("maintain") as settings:
        maintain_tables(settings, timedelta(seconds=settings.retention_seconds if retention is None else retention))


@app.command()
def topics() -> None:
    """Create the Kafka topics and correct their settings; make the users of KAFKA_USERS_FILE and their rights."""
    from signal_pipeline.broker.admin import apply_topics  # noqa: PLC0415

    with command_settings("topics") as settings:
        changes = apply_topics(settings)
        done = {"created": changes.created, "grown": changes.grown, "altered": changes.altered}
        lines = [f"{change} {name}" for change, names in done.items() for name in names]
        typer.echo("\n".join(lines) or "the topics are up to date")
        if settings.kafka_users_file:
            from signal_pipeline.commands.access_tables import make_users  # noqa: PLC0415

            make_users(settings)


@app.command()
def connector() -> None:
    """Apply the Debezium connector, wait until it runs, show it."""
    from signal_pipeline.commands.connector_table import show_connector  # noqa: PLC0415

    with command_settings("connector") as settings:
        show_connector(settings)


@app.command()
def load(
    count: Annotated[int, typer.Option(min=1, help="signals")] = 1000,
    batch: Annotated[int, typer.Option(min=1, max=10_000, help="signals of one request")] = 100,
    rate: Annotated[float | None, typer.Option(min=0.1, help="signals a second; as fast as possible without")] = None,
) -> None:
    """Send signals of a source of their own and check what becomes of them."""
    from signal_pipeline.commands.load import LoadPlan, run_load  # noqa: PLC0415

    with command_settings("load") as settings:
        if not run_load(settings, LoadPlan(count=count, batch=batch, rate=rate)):
            raise typer.Exit(1)


@app.command()
def emit(
    kind: Annotated[str, typer.Option("--type", help="what happened")] = "click",
    source: Annotated[str, typer.Option(help="where")] = "web",
    user: Annotated[str | None, typer.Option(help="whose signal it is")] = None,
    data: Annotated[str | None, typer.Option(help="payload as JSON text")] = None,
    event_id: Annotated[str | None, typer.Option("--id", help="id; a new UUID without")] = None,
    count: Annotated[int, typer.Option(min=1, help="events")] = 1,
    mode: Annotated[str, typer.Option(help="binary or structured")] = "binary",
) -> None:
    """Send an event and print its id."""
    from signal_pipeline.commands.emit_events import Message, emit_events  # noqa: PLC0415

    with command_settings("emit-client") as settings:
        message = Message(type=kind, source=source, user=user, data=data, event_id=event_id, mode=mode)
        emit_events(settings, message, count=count)


@app.command()
def verify() -> None:
    """Audit that every event is stored or dead-lettered; name what is missing.

    Exit code 0: all is accounted for. 1: something is missing, or a server does not answer. 2: there are events, and
    none could be audited, because a group has processed none of them.
    """
    from signal_pipeline.commands.verify import run_verify  # noqa: PLC0415

    with command_settings("verify") as settings:
        raise typer.Exit(run_verify(settings))


@app.command()
def doctor(
    *, as_json: Annotated[bool, typer.Option("--json", help="one JSON document instead of a table")] = False
) -> None:
    """Check versions, ports, topics, groups, connector, slot, schema, clock and more; say the fix of each fault.

    Exit code 0: no fault, perhaps warnings. 1: a fault.
    """
    from signal_pipeline.commands.doctor import run_doctor  # noqa: PLC0415

    with command_settings("doctor") as settings:
        if not run_doctor(settings, as_json=as_json):
            raise typer.Exit(1)


@app.command()
def trace(
    identity: Annotated[str, typer.Argument(metavar="ID", help="of a signal, event, anomaly, outbox row, dead letter")],
    source: Annotated[str | None, typer.Option(help="source of the event, when the id is an event's")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="most signals to follow")] = 100,
    *,
    kafka: Annotated[bool, typer.Option("--kafka", help="read the topics too, which takes a while")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for a program")] = False,
) -> None:
    """Show the whole life of a signal, in order of time; a correlation id shows that of each of its signals.

    Reads the database, the dead letters and the log files of the local run. Exit code 1: nothing is known of the id.
    """
    from signal_pipeline.commands.trace import TraceOrder, collect_trace, show_trace  # noqa: PLC0415

    with command_settings("trace") as settings:
        order = TraceOrder(id=_sound(identity), source=source and _sound(source), kafka=kafka, limit=limit)
        show_trace(collect_trace(settings, order), order, as_json=as_json)


def _sound(text: str) -> str:
    """Return an argument as text that can be sent: bytes that are no UTF-8 become question marks."""
    return text.encode(errors="replace").decode()


@app.command()
def figures(*, watch: Annotated[bool, typer.Option(help="anew every two seconds until Ctrl-C")] = False) -> None:
    """Show the pipeline in a handful of numbers: rates, latency, lag, dead letters, outbox, slot."""
    from signal_pipeline.commands.pipeline_figures import show_figures, watch_figures  # noqa: PLC0415

    with command_settings("figures") as settings:
        (watch_figures if watch else show_figures)(settings)


@app.command("db-stats")
def db_stats() -> None:
    """Show rows, sizes and index use of the tables."""
    from signal_pipeline.commands.database_tables import show_database  # noqa: PLC0415

    with command_settings("db-stats") as settings:
        show_database(settings)


@app.command("outbox-status")
def outbox_status() -> None:
    """Show what waits in the outbox, and the replication slot."""
    from signal_pipeline.commands.database_tables import show_outbox  # noqa: PLC0415

    with command_settings("outbox-status") as settings:
        show_outbox(settings)


@app.command("kafka-topics")
def kafka_topics() -> None:
    """Show partitions, offsets and the lag of each group."""
    from signal_pipeline.commands.kafka_tables import show_topics  # noqa: PLC0415

    with command_settings("kafka-topics") as settings:
        show_topics(settings)


@app.command("dlq-status")
def dlq_status() -> None:
    """Show dead letters not read yet, and the recorded ones."""
    from signal_pipeline.commands.dead_letter_tables import show_status  # noqa: PLC0415

    with command_settings("dlq-status") as settings:
        show_status(settings)


@app.command("dlq-stats")
def dlq_stats() -> None:
    """Show the recovery statistics of replay-dlq."""
    from signal_pipeline.commands.dead_letter_tables import show_statistics  # noqa: PLC0415

    with command_settings("dlq-stats") as settings:
        show_statistics(settings)


@app.command("dlq-metrics")
def dlq_metrics() -> None:
    """Show the metrics of the recovery as they are now."""
    from signal_pipeline.commands.dead_letter_tables import show_metrics  # noqa: PLC0415

    with command_settings("dlq-metrics") as settings:
        show_metrics(settings)
