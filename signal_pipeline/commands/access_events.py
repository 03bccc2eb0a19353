"""`access audit`, and how commands record what they change: in the same transaction, and as a log line after it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg import Connection
from psycopg.rows import TupleRow

from signal_pipeline.commands.access_input import operator
from signal_pipeline.commands.database import connected, rows_of
from signal_pipeline.commands.screen import OUT, show_table
from signal_pipeline.settings import Settings
from signal_pipeline.store.access_events import AccessEvent, AccessEventKind, event_parameters, log_access_event
from signal_pipeline.store.queries import query

__all__ = ["Change", "changing", "show_events"]


class Change:
    """A transaction that changes users or keys.

    Attributes:
        connection: For its statements.
    """

    def __init__(self, connection: Connection[TupleRow]) -> None:
        self.connection = connection
        self.events: list[AccessEvent] = []

    def run(self, statement: str, /, **parameters: Any) -> TupleRow | None:
        """Run a named statement; return its first row."""
        return self.connection.execute(query(statement), parameters).fetchone()

    def count(self, statement: str, /, **parameters: Any) -> int:
        """Run a named statement; return how many rows it changed."""
        return self.connection.execute(query(statement), parameters).rowcount

    def record(self, kind: AccessEventKind, subject: str | None, **detail: Any) -> None:
        """Record what was changed, as done by whoever runs the command."""
        event = AccessEvent(kind=kind, actor=operator(), subject=subject, detail=detail)
        self.connection.execute(query("record_access_event"), event_parameters(event))
        self.events.append(event)


@contextmanager
def changing(settings: Settings) -> Iterator[Change]:
    """Lend a transaction; what it recorded is logged when it is committed. Errors as `connected`."""
    with connected(settings, name="access") as connection:
        change = Change(connection)
        with connection.transaction():
            yield change
    for event in change.events:
        log_access_event(event)


def show_events(
    settings: Settings, *, limit: int, kind: str | None, subject: str | None, as_json: bool = False
) -> None:
    """Print the newest events, newest first; errors as `connected`."""
    rows = rows_of(settings, "newest_access_events", {"limit": limit, "kind": kind, "subject": subject})
    if as_json:
        OUT.print(json.dumps({"events": rows}, default=str, indent=2), markup=False)
        return
    columns = ("when", "what", "whose", "who did it", "from", "more")
    show_table(
        f"Access events (newest {limit})",
        columns,
        [(row["at"], row["kind"], row["subject"], row["actor"], row["address"], _told(row["detail"])) for row in rows],
    )


def _told(detail: dict[str, Any]) -> str | None:
    words = (f"{name}={' '.join(value) if isinstance(value, list) else value}" for name, value in detail.items())
    return ", ".join(words) or None
