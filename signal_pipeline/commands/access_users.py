"""`access user`: who may log in.

Whatever makes a user less than before ends the user's logins: another password, a scope taken away, a closed door.
"""

import asyncio
from typing import Any, Final
from uuid import UUID

from signal_pipeline.commands.access_events import Change, changing
from signal_pipeline.commands.access_input import access_name
from signal_pipeline.commands.database import rows_of
from signal_pipeline.commands.screen import show_table
from signal_pipeline.errors import Conflict, NotFound
from signal_pipeline.security.passwords import Passwords
from signal_pipeline.settings import Settings
from signal_pipeline.store.access_events import AccessEventKind

__all__ = ["check_password_is_ours", "create_user", "list_users", "set_disabled", "set_password", "set_scopes"]

_OF_SETTINGS: Final = "admin"


def check_password_is_ours(username: str) -> None:
    """Raise `Conflict` for the user whose password the settings say, before one is asked for."""
    if username == _OF_SETTINGS:
        raise Conflict(
            "auth makes the user admin, with AUTH_ADMIN_PASSWORD: change that and start auth again; "
            "or disable admin and create users of your own"
        )


def create_user(settings: Settings, username: str, scopes: list[str], password: str) -> None:
    """Add a user.

    Raises:
        Conflict: there is one of that name, disabled perhaps.
        PipelineError: the name is none, or PostgreSQL did not do it.
    """
    name = access_name(username)
    with changing(settings) as change:
        if change.run("create_user", username=name, password_hash=_hashed(password), scopes=scopes) is None:
            raise Conflict(f"there is a user {name} already")
        change.record(AccessEventKind.USER_CREATED, name, scopes=scopes)


def set_password(settings: Settings, username: str, password: str) -> None:
    """Give a user another password and end the user's logins; `NotFound` when there is none."""
    with changing(settings) as change:
        user = _found(change.run("set_user_password", username=username, password_hash=_hashed(password)), username)
        ended = _end_logins(change, user[0])
        change.record(AccessEventKind.PASSWORD_CHANGED, username, tokens_revoked=ended)


def set_scopes(settings: Settings, username: str, scopes: list[str]) -> None:
    """Say anew what a user may do; `NotFound` when there is none. Logins end if a scope is taken away."""
    with changing(settings) as change:
        user, before = _found(change.run("set_user_scopes", username=username, scopes=scopes), username)
        ended = _end_logins(change, user) if set(before) - set(scopes) else 0
        change.record(AccessEventKind.SCOPES_CHANGED, username, scopes=scopes, before=before, tokens_revoked=ended)


def set_disabled(settings: Settings, username: str, *, disabled: bool) -> None:
    """Close the door to a user and end the user's logins, or open it again; `NotFound` when there is none."""
    with changing(settings) as change:
        user = _found(change.run("set_user_disabled", username=username, disabled=disabled), username)
        if disabled:
            change.record(AccessEventKind.USER_DISABLED, username, tokens_revoked=_end_logins(change, user[0]))
        else:
            change.record(AccessEventKind.USER_ENABLED, username)


def list_users(settings: Settings) -> None:
    """Print all users."""
    columns = ("user", "scopes", "may log in", "logins", "created", "password since")
    rows = [
        (
            row["username"],
            " ".join(row["scopes"]),
            not row["disabled"],
            row["logins"],
            row["created_at"],
            row["password_changed_at"],
        )
        for row in rows_of(settings, "list_users")
    ]
    show_table("Users", columns, rows)


def _hashed(password: str) -> str:
    return asyncio.run(Passwords().hash(password))


def _found(row: tuple[Any, ...] | None, username: str) -> tuple[Any, ...]:
    if row is None:
        raise NotFound(f"there is no user {username!r}; list them with: signal-pipeline access user list")
    return row


def _end_logins(change: Change, user: UUID) -> int:
    return change.count("end_logins_of_user", user_id=user)
