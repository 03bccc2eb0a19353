"""Replays ordered over HTTP.

running ◀──▶ paused        every step moves the cursor after the broker acknowledged
   │            │
   ├────────────┴──▶ cancelled
   └──▶ completed          nothing remains
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from signal_pipeline.store.dead_letter_views import DeadLetterFilter
from signal_pipeline.store.dead_letters import DueDeadLetter, due_dead_letter
from signal_pipeline.store.pool import Pool
from signal_pipeline.store.queries import query

__all__ = [
    "JobOrder",
    "KnownJob",
    "RunningJob",
    "create_job",
    "find_job",
    "find_job_by_key",
    "list_jobs",
    "plan_replay",
    "running_job",
    "switch_job",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class JobOrder:
    """What a person orders.

    Attributes:
        idempotency_key: Makes a repeated order the same job; None makes each a new one.
        plan: The plan that is executed.
        filter: Its filter, as JSON values.
        requested_by: Who ordered it.
        reason: Why, in the person's words.
        rate: Most dead letters a second; None takes what replay may.
        total: Dead letters of the plan.
    """

    idempotency_key: str | None
    plan: str
    filter: Mapping[str, Any]
    requested_by: str
    reason: str | None
    rate: int | None
    total: int


async def plan_replay(
    pool: Pool, wanted: DeadLetterFilter, *, topics: Sequence[str], limit: int
) -> list[dict[str, Any]]:
    """Return the dead letters that a replay by this filter would publish again."""
    parameters = {**wanted.parameters(), "topics": list(topics), "limit": limit}
    async with pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query("plan_replay"), parameters)
        return await cursor.fetchall()


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownJob:
    """The job of an order, and what decides whether another order with its key is the same one.

    Attributes:
        job_id: Its id.
        plan: The plan that it executes.
        rate: Most dead letters a second; None takes what replay may.
    """

    job_id: UUID
    plan: str
    rate: int | None


async def create_job(pool: Pool, order: JobOrder) -> KnownJob:
    """Start a job and return it, or that of an earlier order with the same idempotency key.

    Raises:
        StoreError: with code 23505 when another job is active.
    """
    parameters = {
        "key": order.idempotency_key,
        "plan": order.plan,
        "filter": json.dumps(order.filter),
        "requested_by": order.requested_by,
        "reason": order.reason,
        "rate": order.rate,
        "total": order.total,
    }
    async with pool.connection() as connection:
        cursor = await connection.execute(query("create_replay_job"), parameters)
        row = await cursor.fetchone()
    if row is None:
        raise LookupError("an insert that returns its row returned none")
    return KnownJob(job_id=row[0], plan=row[1], rate=row[2])


async def find_job_by_key(pool: Pool, key: str, requested_by: str) -> KnownJob | None:
    """Return the job that an idempotency key of this person gave before; None when it gave none."""
    async with pool.connection() as connection:
        cursor = await connection.execute(query("find_replay_job_by_key"), {"key": key, "requested_by": requested_by})
        row = await cursor.fetchone()
    return None if row is None else KnownJob(job_id=row[0], plan=row[1], rate=row[2])


async def find_job(pool: Pool, job_id: UUID) -> dict[str, Any] | None:
    """Return a job as a person looks at it; None when there is none."""
    async with pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query("find_replay_job"), {"job_id": job_id})
        return await cursor.fetchone()


async def list_jobs(pool: Pool, *, limit: int, requested_by: str | None = None) -> list[dict[str, Any]]:
    """Return the newest jobs of a person, or of all, newest first."""
    async with pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query("list_replay_jobs"), {"limit": limit, "requested_by": requested_by})
        return await cursor.fetchall()


async def switch_job(pool: Pool, job_id: UUID, status: str) -> bool:
    """Make an active job `running`, `paused` or `cancelled`; false when it has ended or does not exist."""
    async with pool.connection() as connection:
        cursor = await connection.execute(query("switch_replay_job"), {"job_id": job_id, "status": status})
        return cursor.rowcount == 1


class RunningJob:
    """One step of the running job, in the transaction that holds it: a step that dies leaves no trace."""

    def __init__(self, connection: AsyncConnection[tuple[Any, ...]], row: tuple[Any, ...]) -> None:
        self._connection = connection
        self.job_id: UUID = row[0]
        self.filter: Mapping[str, Any] = row[1]
        self._remaining: int = row[2]
        self._cursor: UUID | None = row[3]
        self._ordered_at = row[4]
        self.rate: int | None = row[5]

    async def next_letters(self, wanted: DeadLetterFilter, *, topics: Sequence[str], limit: int) -> list[DueDeadLetter]:
        """Return the next dead letters of the job."""
        parameters = {
            **wanted.parameters(),
            "topics": list(topics),
            "ordered_at": self._ordered_at,
            "after": self._cursor,
            "limit": min(limit, self._remaining),
        }
        cursor = await self._connection.execute(query("job_letters"), parameters)
        return [due_dead_letter(row) for row in await cursor.fetchall()]

    async def advance(
        self, replayed: Sequence[DueDeadLetter], *, skipped: int, cursor: UUID | None, ended: bool
    ) -> None:
        """Note a step; end the job when it is done.

        Args:
            replayed: What the broker acknowledged.
            skipped: How many can never be published again.
            cursor: The last dead letter that is done with; None when none is.
            ended: Whether there was nothing left to do.
        """
        columns = {"ids": [one.dlq_id for one in replayed], "attempts": [one.attempts for one in replayed]}
        await self._connection.execute(query("finish_job_letters"), columns)
        parameters = {
            "job_id": self.job_id,
            "replayed": len(replayed),
            "skipped": skipped,
            "cursor": cursor,
            "ended": ended or len(replayed) + skipped >= self._remaining,
        }
        await self._connection.execute(query("advance_replay_job"), parameters)


@asynccontextmanager
async def running_job(pool: Pool) -> AsyncIterator[RunningJob | None]:
    """Hold the running job for one step; None when there is none, or another replica works on it."""
    async with pool.connection() as connection, connection.transaction():
        cursor = await connection.execute(query("lock_replay_job"))
        row = await cursor.fetchone()
        yield None if row is None else RunningJob(connection, row)
