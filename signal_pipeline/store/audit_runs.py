"""The record of audits: what each found, the newest 1,000 of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import Connection
from psycopg.rows import TupleRow, class_row
from psycopg.types.json import Jsonb

from signal_pipeline.store.pool import Pool
from signal_pipeline.store.queries import query

__all__ = ["AuditRun", "last_audit_run", "record_audit_run"]


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditRun:
    """One audit.

    Attributes:
        started_at: When it began, by the server's clock.
        finished_at: When it ended.
        audited: Events that it looked for.
        missing: Those that it did not find.
        violations: How many there are of each kind of breach; kinds that did not occur are absent.
        ok: Whether there are none.
    """

    started_at: datetime
    finished_at: datetime
    audited: int
    missing: int
    violations: Mapping[str, int]
    ok: bool


def record_audit_run(
    connection: Connection[TupleRow], *, took: timedelta, audited: int, missing: int, violations: Mapping[str, int]
) -> None:
    """Record an audit that ends now.

    Args:
        connection: A connection in autocommit mode.
        took: How long it ran.
        audited: Events that it looked for.
        missing: Those that it did not find.
        violations: How many there are of each kind of breach, without zeros; nothing when the audit passed.
    """
    values = {"took": took, "audited": audited, "missing": missing, "violations": Jsonb(dict(violations))}
    connection.execute(query("record_audit_run"), values)


async def last_audit_run(pool: Pool) -> AuditRun | None:
    """Return the newest audit; None before the first."""
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(AuditRun)) as cursor:
        await cursor.execute(query("last_audit_run"))
        return await cursor.fetchone()
