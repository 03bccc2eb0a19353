"""`access key`: keys for programs, sent as X-API-Key. A key is shown once, when it is made; its hash is stored."""

import sys
from datetime import datetime, timedelta

from signal_pipeline.commands.access_events import changing
from signal_pipeline.commands.access_input import access_name
from signal_pipeline.commands.database import rows_of
from signal_pipeline.commands.screen import cell, show_table
from signal_pipeline.domain.access import api_key_digest
from signal_pipeline.errors import Conflict, NotFound
from signal_pipeline.security.api_keys import new_api_key
from signal_pipeline.settings import Settings
from signal_pipeline.store.access_events import AccessEventKind

__all__ = ["create_key", "list_keys", "revoke_key"]


def create_key(settings: Settings, name: str, scopes: list[str], lifetime: timedelta | None) -> None:
    """Make a key and print it: alone on standard output, so that a program can take it.

    Args:
        settings: Where the database is.
        name: What logs and limits call its holder.
        scopes: What it may do.
        lifetime: How long it is good; None: until it is revoked.

    Raises:
        Conflict: there is, or was, a key of that name: events that name it must not mean two.
        PipelineError: the name is none, or PostgreSQL did not do it.
    """
    key, checked = new_api_key(), access_name(name)
    with changing(settings) as change:
        digest = api_key_digest(key)
        row = change.run("create_api_key", name=checked, digest=digest, scopes=scopes, lifetime=lifetime)
        if row is None:
            raise Conflict(f"there is, or was, a key {checked}; take another name")
        expires: datetime | None = row[0]
        change.record(AccessEventKind.API_KEY_CREATED, checked, scopes=scopes, expires=expires and expires.isoformat())
    print(key)  # noqa: T201 - the answer of the command
    until = "until it is revoked" if expires is None else f"until {cell(expires)}"
    print(f"good {until}; this is the only time that it is shown", file=sys.stderr)  # noqa: T201


def list_keys(settings: Settings) -> None:
    """Print all keys that there ever were, by name."""
    columns = ("key", "scopes", "created", "expires", "revoked", "last used, to the hour")
    names = ("created_at", "expires_at", "revoked_at", "last_used_at")
    rows = [
        (row["name"], " ".join(row["scopes"]), *(row[name] for name in names))
        for row in rows_of(settings, "list_api_keys")
    ]
    show_table("API keys", columns, rows)


def revoke_key(settings: Settings, name: str) -> None:
    """Take a key out of use for ever; `NotFound` when there is none of that name that is in use."""
    with changing(settings) as change:
        if change.run("revoke_api_key", name=name) is None:
            raise NotFound(f"there is no key {name!r} in use; list them with: signal-pipeline access key list")
        change.record(AccessEventKind.API_KEY_REVOKED, name)
