"""The outbox as confirm-outbox and the command `outbox republish` see it."""

from collections.abc import Iterable
from uuid import UUID

from signal_pipeline.store.pool import Pool
from signal_pipeline.store.queries import query

__all__ = ["confirm_outbox", "stamped_outbox"]


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
