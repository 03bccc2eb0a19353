"""The outbox as confirm-outbox and the command `outbox republish` see it."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from psycopg.rows import class_row

from signal_pipeline.store.pool import Pool
from signal_pipeline.store.queries import query

__all__ = ["OutboxState", "confirm_outbox", "drop_lost_slot", "outbox_state", "stamped_outbox"]


@dataclass(frozen=True, kw_only=True, slots=True)
class OutboxState:
    """The outbox and its replication slot at one moment.

    Attributes:
        pending: Rows not confirmed.
        oldest_pending_seconds: Age of the oldest of them; 0 without any.
        slot_active: Whether Debezium reads the slot now; None when the slot is missing or lost.
        retained_bytes: Log that the server keeps for the slot; None when it is missing or lost.
        headroom_bytes: Log that may be written before the slot is lost; None without a slot or a limit.
    """

    pending: int
    oldest_pending_seconds: float
    slot_active: bool | None
    retained_bytes: int | None
    headroom_bytes: int | None


async def confirm_outbox(pool: Pool, ids: Iterable[UUID]) -> int:
    """Stamp the outbox rows of events that came back from Kafka; return how many were not stamped before.

    An id without a row, or one stamped before, changes nothing. `StoreError` when nothing was stamped.
    """
    async with pool.connection() as connection:
        cursor = await connection.execute(query("confirm_outbox"), {"ids": list(ids)})
        return cursor.rowcount


async def stamped_outbox(pool: Pool, ids: Iterable[UUID]) -> set[UUID]:
    """Return those of the ids whose outbox row is stamped."""
    async with pool.connection() as connection:
        cursor = await connection.execute(query("stamped_outbox"), {"ids": list(ids)}, binary=True)
        return {row[0] for row in await cursor.fetchall()}


async def outbox_state(pool: Pool) -> OutboxState:
    """Return what waits in the outbox, and how its slot does; `StoreError` when PostgreSQL does not tell."""
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(OutboxState)) as cursor:
        await cursor.execute(query("outbox_watch"))
        found = await cursor.fetchone()
    if found is None:
        raise LookupError("a query of aggregates returned no row")
    return found


async def drop_lost_slot(pool: Pool) -> None:
    """Drop the outbox's replication slot if nothing can be read through it any more; else change nothing."""
    async with pool.connection() as connection:
        await connection.execute(query("drop_lost_slot"))
