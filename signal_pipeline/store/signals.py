"""Storing signals for process-signal, and looking them up for replay."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from signal_pipeline.domain.signals import Signal
from signal_pipeline.store.pool import Pool
from signal_pipeline.store.queries import query
from signal_pipeline.store.upsert import StoredSignals, write_signals

__all__ = ["signals_exist", "store_signals"]


async def store_signals(pool: Pool, signals: Sequence[Signal]) -> StoredSignals:
    """Store a batch; when this returns, every signal without a failure is durable. Storing it again changes nothing.

    Raises:
        StoreError: the batch as a whole was not stored, or nobody knows whether it was: send it again.
    """
    if not signals:
        return StoredSignals(outcomes=(), failures={})
    async with pool.connection() as connection:
        return await write_signals(connection, signals)


async def signals_exist(pool: Pool, ids: Iterable[UUID]) -> set[UUID]:
    """Return those of the ids that are rows of signals; `StoreError` when nobody can say."""
    async with pool.connection() as connection:
        cursor = await connection.execute(query("signals_exist"), {"ids": list(ids)}, binary=True)
        return {row[0] for row in await cursor.fetchall()}
