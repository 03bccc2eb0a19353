"""Who may call: users, API keys, the key of tokens, and what happened to them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated

import typer

from signal_pipeline.commands.running import command_settings
from signal_pipeline.observability.logs import configure_logs
from signal_pipeline.settings import Settings

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help=__doc__)
user = typer.Typer(no_args_is_help=True, help="Users, who log in with a password.")
key = typer.Typer(no_args_is_help=True, help="API keys, for programs.")
app.add_typer(user, name="user")
app.add_typer(key, name="key")

_SCOPES = "signals:write, signals:read, replay, service or admin; several times, or with commas"
Name = Annotated[str, typer.Argument(metavar="NAME")]
Scopes = Annotated[list[str], typer.Option("--scope", help=_SCOPES)]


@contextmanager
def _settings() -> Iterator[Settings]:
    """Lend the settings. Events are logged on standard error: standard output may be a key."""
    with command_settings("access") as settings:
        configure_logs(role="access", level=settings.log_level, stream=sys.stderr)
        yield settings


@user.command("create")
def create_user(name: Name, scope: Scopes) -> None:
    """Add a user; the password is asked for, or read from standard input."""
    from signal_pipeline.commands import access_input, access_users  # noqa: PLC0415 - as in dlq_cli

    with _settings() as settings:
        access_users.check_password_is_ours(name)
        scopes = access_input.given_scopes(scope)
        password = access_input.given_password(access_input.access_name(name))
        access_users.create_user(settings, name, scopes, password)


@user.command("list")
def list_users() -> None:
    """Show users, what they may do, and how many logins of each go on."""
    from signal_pipeline.commands.access_users import list_users as show  # noqa: PLC0415

    with _settings() as settings:
        show(settings)


@user.command("set-password")
def set_password(name: Name) -> None:
    """Give a user another password, asked for or read from standard input; the user's logins end."""
    from signal_pipeline.commands import access_input, access_users  # noqa: PLC0415

    with _settings() as settings:
        access_users.check_password_is_ours(name)
        known = access_input.known_name(name)
        access_users.set_password(settings, known, access_input.given_password(known))


@user.command("set-scopes")
def set_scopes(name: Name, scope: Scopes) -> None:
    """Say what a user may do from now on; the user's logins end if that is less than before."""
    from signal_pipeline.commands import access_input, access_users  # noqa: PLC0415

    with _settings() as settings:
        access_users.set_scopes(settings, access_input.known_name(name), access_input.given_scopes(scope))


@user.command("disable")
def disable_user(name: Name) -> None:
    """Let a user log in no more, and end the user's logins."""
    from signal_pipeline.commands import access_input, access_users  # noqa: PLC0415

    with _settings() as settings:
        access_users.set_disabled(settings, access_input.known_name(name), disabled=True)


@user.command("enable")
def enable_user(name: Name) -> None:
    """Let a disabled user log in again."""
    from signal_pipeline.commands import access_input, access_users  # noqa: PLC0415

    with _settings() as settings:
        access_users.set_disabled(settings, access_input.known_name(name), disabled=False)


@key.command("create")
def create_key(
    name: Name,
    scope: Scopes,
    days: Annotated[
        int | None, typer.Option(min=1, max=3650, help="how long it is good; until revoked without")
    ] = None,
) -> None:
    """Make an API key and print it, this once."""
    from signal_pipeline.commands import access_input, access_keys  # noqa: PLC0415

    with _settings() as settings:
        lifetime = None if days is None else timedelta(days=days)
        access_keys.create_key(settings, name, access_input.given_scopes(scope), lifetime)


@key.command("list")
def list_keys() -> None:
    """Show API keys: what they may do, until when, and when they were last used."""
    from signal_pipeline.commands.access_keys import list_keys as show  # noqa: PLC0415

    with _settings() as settings:
        show(settings)


@key.command("revoke")
def revoke_key(name: Name) -> None:
    """Refuse an API key from now on, for ever."""
    from signal_pipeline.commands import access_input, access_keys  # noqa: PLC0415

    with _settings() as settings:
        access_keys.revoke_key(settings, access_input.known_name(name))


@app.command()
def rotate(
    *,
    finish: Annotated[bool, typer.Option("--finish", help="take the old keys away")] = False,
    now: Annotated[bool, typer.Option("--now", help="with --finish: though their tokens are alive")] = False,
) -> None:
    """Exchange the key that signs tokens; no login ends.

    With JWT_SECRET_KEY_FILE and JWT_PREVIOUS_SECRET_KEYS_FILE the files are changed; else what to set is printed.
    """
    from signal_pipeline.commands.access_rotation import finish_rotation, rotate_key  # noqa: PLC0415

    if now and not finish:
        raise typer.BadParameter("belongs to --finish", param_hint="--now")
    with _settings() as settings:
        lines = finish_rotation(settings, now=now) if finish else rotate_key(settings)
        typer.echo("\n".join(lines))


@app.command()
def audit(
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="events")] = 50,
    kind: Annotated[str | None, typer.Option(help="such as login_failed")] = None,
    subject: Annotated[str | None, typer.Option("--of", help="user or key")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="for a program")] = False,
) -> None:
    """Show what happened to users, keys and logins, newest first."""
    from signal_pipeline.commands import access_events, access_input  # noqa: PLC0415

    with _settings() as settings:
        wanted = {
            "kind": kind and access_input.known_kind(kind),
            "subject": subject and access_input.known_name(subject),
        }
        access_events.show_events(settings, limit=limit, as_json=as_json, **wanted)
