"""Dead letters as a person looks at them: a filtered list in pages, and statistics."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.store.pool import Pool
from signal_pipeline.store.queries import query

__all__ = ["Cursor", "DeadLetterFilter", "dead_letter_stats", "list_dead_letters"]


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetterFilter:
    """Which dead letters; an absent part filters nothing.

    Attributes:
        failure_class: Class of the last failure.
        code: Code of the last failure.
        since: Failed last at this time or later.
        until: Failed last before this time.
    """

    failure_class: FailureClass | None = None
    code: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Cursor:
    """The last row of a page.

    Attributes:
        last_failed_at: Its last failure.
        dlq_id: Its id, which orders rows that failed at the same time.
    """

    last_failed_at: datetime
    dlq_id: UUID


async def list_dead_letters(
    pool: Pool, wanted: DeadLetterFilter, *, limit: int, after: Cursor | None = None
) -> list[dict[str, Any]]:
    """Return up to `limit` dead letters, newest failure first, without key, value and headers."""
    parameters = {
        "failure_class": wanted.failure_class,
        "code": wanted.code,
        "since": wanted.since,
        "until": wanted.until,
        "after_time": after.last_failed_at if after else None,
        "after_id": after.dlq_id if after else None,
        "limit": limit,
    }
    async with pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query("list_dead_letters"), parameters)
        return await cursor.fetchall()


async def dead_letter_stats(pool: Pool) -> list[dict[str, Any]]:
    """Return counts of dead letters by status, class and code, with their oldest and newest failure."""
    async with pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query("dead_letter_stats"))
        return await cursor.fetchall()
