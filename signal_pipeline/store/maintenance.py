"""Maintenance: the functions of `sql/functions`; those that delete are called in bounded steps.

Order of a purge:
1. anomalies, each with its outbox row: an anomaly without its event would look like a lost event
2. signals that no anomaly refers to any more, with their replaced versions
3. dead letters that were replayed or resolved
4. heartbeats of the connector
5. access events, which are kept for 90 days whatever the retention of signals is
"""

from dataclasses import dataclass
from datetime import timedelta

from signal_pipeline.store.pool import Pool
from signal_pipeline.store.queries import query

__all__ = ["Purged", "Upkeep", "analyze", "clean_gin_pending", "keep_up", "purge"]

_BATCH = 1000  # rows of one transaction: locks are short, and writers and vacuum get their turn in between
_HEARTBEATS_KEPT = timedelta(minutes=10)  # only the newest means anything
_ACCESS_EVENTS_KEPT = timedelta(days=90)  # a break-in is often found weeks later
ANALYZE_EVERY = timedelta(minutes=10)  # it reads some 30,000 pages a table; estimates age slowly


@dataclass(frozen=True, kw_only=True, slots=True)
class Purged:
    """How many rows a purge deleted.

    Attributes:
        anomalies: Anomalies, and as many outbox rows.
        signals: Signals.
        dead_letters: Dead letters.
        heartbeats: Heartbeats.
        access_events: Access events.
    """

    anomalies: int
    signals: int
    dead_letters: int
    heartbeats: int
    access_events: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Upkeep:
    """What was done so that queries stay fast.

    Attributes:
        merged_pages: Pages of pending lists that were merged into their GIN indexes.
        summarized_ranges: Ranges that BRIN indexes did not know yet; None when the last analysis is recent.
    """

    merged_pages: int
    summarized_ranges: int | None


async def purge(pool: Pool, older_than: timedelta, *, batch: int = _BATCH) -> Purged:
    """Delete what is older than this, in transactions of at most `batch` rows; what is still pending stays.

    Raises:
        StoreError: PostgreSQL failed; the steps before stay done.
    """
    return Purged(
        anomalies=await _repeat(pool, "purge_anomalies", older_than, batch),
        signals=await _repeat(pool, "purge_signals", older_than, batch),
        dead_letters=await _repeat(pool, "purge_dead_letters", older_than, batch),
        heartbeats=await _repeat(pool, "purge_heartbeat", min(older_than, _HEARTBEATS_KEPT), batch),
        access_events=await _repeat(pool, "purge_access_events", _ACCESS_EVENTS_KEPT, batch),
    )


async def keep_up(pool: Pool, *, analyze_every: timedelta = ANALYZE_EVERY) -> Upkeep:
    """Merge the pending lists, and refresh statistics and BRIN summaries if that was not done for this long.

    When the last analysis was is asked of PostgreSQL, so that replicas share it and a restart does not repeat it.

    Raises:
        StoreError: PostgreSQL failed.
    """
    merged = sum((await clean_gin_pending(pool)).values())
    async with pool.connection() as connection:
        cursor = await connection.execute(query("analysis_due"), {"every": analyze_every})
        row = await cursor.fetchone()
    due = row is not None and row[0]
    return Upkeep(merged_pages=merged, summarized_ranges=await analyze(pool) if due else None)


async def clean_gin_pending(pool: Pool) -> dict[str, int]:
    """Merge the pending lists of the GIN indexes; return the pages that each held."""
    async with pool.connection() as connection:
        cursor = await connection.execute(query("clean_gin_pending"))
        return dict(await cursor.fetchall())


async def analyze(pool: Pool) -> int:
    """Refresh the planner's statistics; return how many BRIN ranges were summarized."""
    async with pool.connection() as connection:
        cursor = await connection.execute(query("analyze_pipeline"))
        row = await cursor.fetchone()
        return int(row[0]) if row else 0


async def _repeat(pool: Pool, name: str, older_than: timedelta, batch: int) -> int:
    total = 0
    while True:
        async with pool.connection() as connection:
            cursor = await connection.execute(query(name), {"older_than": older_than, "batch": batch})
            row = await cursor.fetchone()
        step = int(row[0]) if row else 0
        total += step
        if step < batch:
            return total
