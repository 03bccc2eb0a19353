"""Storing signals for process-signal, and looking them up for replay."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from signal_pipeline.domain.signals import Signal
from signal_pipeline.store.pool import Pool
from signal_pipeline.store.queries import query
from signal_pipeline.store.upsert import StoredSignals, write_signals

__all__ = ["SignalVersion", "signals_exist", "store_signals"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SignalVersion:
    """One version of a signal, as far as it decides whether storing it would change anything.

    Attributes:
        id: Key of the row.
        source: Its source.
        event_ts: When it happened; None when the event does not say.
    """

    id: UUID
    source: str
    event_ts: datetime | None


async def store_signals(pool: Pool, signals: Sequence[Signal]) -> StoredSignals:
    """Store a batch; when this returns, every signal without a failure is durable. Storing it again changes nothing.

    Raises:
        StoreError: the batch as a whole was not stored, or nobody knows whether it was: send it again.
    """
    if not signals:
        return StoredSignals(outcomes=(), failures={})
    async with pool.connection() as connection:
        return await write_signals(connection, signals)


async def signals_exist(pool: Pool, versions: Sequence[SignalVersion]) -> list[bool]:
    """Return for each version whether the row has it, or a newer one; `StoreError` when nobody can say."""
    columns = {
        "ids": [version.id for version in versions],
        "sources": [version.source for version in versions],
        "times": [version.event_ts for version in versions],
    }
    async with pool.connection() as connection:
        cursor = await connection.execute(query("signals_exist"), columns, binary=True)
        found = {row[0] for row in await cursor.fetchall()}
    return [position in found for position in range(1, len(versions) + 1)]
