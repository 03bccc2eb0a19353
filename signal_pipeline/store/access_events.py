"""What happened to credentials, for whoever must find out later. Append-only: auth itself cannot read it back.

An event is written in the transaction of what it tells, so that neither exists without the other. It names a user only
when there is one of that name: people type passwords into the field of the name.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from signal_pipeline.observability.logs import get_logger
from signal_pipeline.store.queries import query

__all__ = ["AccessEvent", "AccessEventKind", "event_parameters", "log_access_event", "record_access_event"]


class AccessEventKind(StrEnum):
    """What happened."""

    LOGIN_SUCCEEDED = "login_succeeded"
    LOGIN_FAILED = "login_failed"
    REFRESH_REUSED = "refresh_reused"
    LOGGED_OUT = "logged_out"
    USER_CREATED = "user_created"
    USER_DISABLED = "user_disabled"
    USER_ENABLED = "user_enabled"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - the name of an event
    SCOPES_CHANGED = "scopes_changed"
    API_KEY_CREATED = "api_key_created"
    API_KEY_REVOKED = "api_key_revoked"
    SIGNING_KEY_ROTATED = "signing_key_rotated"
    PREVIOUS_KEYS_REMOVED = "previous_keys_removed"


@dataclass(frozen=True, kw_only=True)
class AccessEvent:
    """One thing that happened; nothing in it is a secret.

    Attributes:
        kind: What happened.
        actor: Who did it: a user, `operator:NAME` of a command, `AUTH_ADMIN_PASSWORD`; None when nobody proved to be
            anybody.
        subject: The user or key that it happened to; None when there is none.
        address: Where the request came from; None for a command.
        correlation_id: Id of the request; None for a command.
        detail: What else there is to know, such as scopes.
    """

    kind: AccessEventKind
    actor: str | None = None
    subject: str | None = None
    address: str | None = None
    correlation_id: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


def event_parameters(event: AccessEvent) -> dict[str, Any]:
    """Return what the statement `record_access_event` takes."""
    return asdict(event) | {"kind": event.kind.value, "detail": Jsonb(dict(event.detail))}


def log_access_event(event: AccessEvent) -> None:
    """Write the event as a log line too: for whoever collects logs, and for the time when the table is lost."""
    values = {name: value for name, value in asdict(event).items() if value}
    warns = event.kind in {AccessEventKind.LOGIN_FAILED, AccessEventKind.REFRESH_REUSED}
    (get_logger().warning if warns else get_logger().info)("access_event", **values | {"kind": event.kind.value})


async def record_access_event(connection: AsyncConnection[tuple[Any, ...]], event: AccessEvent) -> None:
    """Add an event to the transaction of what it tells."""
    await connection.execute(query("record_access_event"), event_parameters(event))
