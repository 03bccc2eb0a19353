"""Dead letters as a person looks at them: a filtered list in pages, one of them whole, and statistics."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import class_row, dict_row

from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.store.pool import Pool
from signal_pipeline.store.queries import query

__all__ = [
    "Cursor",
    "DeadLetterCount",
    "DeadLetterFilter",
    "dead_letter_counts",
    "dead_letter_stats",
    "find_dead_letter",
    "list_dead_letters",
    "replay_job_counts",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetterFilter:
    """Which dead letters; an absent part filters nothing.

    Attributes:
        failure_class: Class of the last failure.
        code: Code of the last failure.
        since: Failed last at this time or later.
        until: Failed last before this time.
        partition: Partition of the original record.
        offset_from: Its offset, or a later one.
        offset_until: An offset before this one.
        ids: These dead letters and no others.
    """

    failure_class: FailureClass | None = None
    code: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    partition: int | None = None
    offset_from: int | None = None
    offset_until: int | None = None
    ids: tuple[UUID, ...] | None = None

    def parameters(self) -> dict[str, Any]:
        """Return the filter as the parameters of every statement that filters dead letters."""
        return {**asdict(self), "ids": None if self.ids is None else list(self.ids)}


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetterCount:
    """Dead letters with one status and one class.

    Attributes:
        status: `scheduled`, `replayed`, `resolved` or `quarantined`.
        failure_class: Class of the last failure.
        letters: How many; at least one.
        oldest_failure_at: First failure of the oldest.
    """

    status: str
    failure_class: str
    letters: int
    oldest_failure_at: datetime


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
        **wanted.parameters(),
        "after_time": after.last_failed_at if after else None,
        "after_id": after.dlq_id if after else None,
        "limit": limit,
    }
    async with pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query("list_dead_letters"), parameters)
        return await cursor.fetchall()


async def find_dead_letter(pool: Pool, dlq_id: UUID, *, preview_bytes: int) -> dict[str, Any] | None:
    """Return one dead letter with its headers and the beginnings of its key and value; None when there is none."""
    parameters = {"dlq_id": dlq_id, "preview_bytes": preview_bytes}
    async with pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query("find_dead_letter"), parameters)
        return await cursor.fetchone()


async def dead_letter_stats(pool: Pool) -> list[dict[str, Any]]:
    """Return counts of dead letters by status, class and code, with their oldest and newest failure."""
    async with pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query("dead_letter_stats"))
        return await cursor.fetchall()


async def dead_letter_counts(pool: Pool) -> list[DeadLetterCount]:
    """Return how many dead letters have each status and class; those that none has are absent."""
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(DeadLetterCount)) as cursor:
        await cursor.execute(query("dead_letter_counts"))
        return await cursor.fetchall()


async def replay_job_counts(pool: Pool) -> dict[str, int]:
    """Return how many replay jobs are in each state; states without any are absent."""
    async with pool.connection() as connection:
        cursor = await connection.execute(query("replay_job_counts"))
        return {row[0]: row[1] for row in await cursor.fetchall()}
