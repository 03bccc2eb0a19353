"""What the commands `db-stats` and `outbox-status` show."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from signal_pipeline.store.pool import Pool
from signal_pipeline.store.queries import query

__all__ = ["OutboxStatus", "TableStats", "outbox_status", "table_stats"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TableStats:
    """Size and use of one table, as PostgreSQL's statistics have them.

    Attributes:
        table_name: Its name.
        live_rows: Estimated rows.
        dead_rows: Estimated rows that wait for vacuum.
        seq_scan: Scans that read the whole table.
        idx_scan: Scans through an index.
        hot_update_share: Share of updates that touched no index, 0 to 1; None without updates.
        dead_row_share: Share of dead rows, 0 to 1; None for an empty table.
        table_bytes: Size without indexes.
        index_bytes: Size of the indexes.
    """

    table_name: str
    live_rows: int
    dead_rows: int
    seq_scan: int
    idx_scan: int
    hot_update_share: float | None
    dead_row_share: float | None
    table_bytes: int
    index_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class OutboxStatus:
    """The outbox and the slot that it is read through.

    Attributes:
        pending: Rows not confirmed.
        oldest_pending_at: When the oldest of them was written; None without any.
        oldest_pending_seconds: Its age; 0 without any.
        confirmed: Rows confirmed and not purged yet.
        slot_active: Whether Debezium reads now; None when the slot is missing.
        retained_bytes: Log that the server keeps for the slot; None when the slot is missing.
    """

    pending: int
    oldest_pending_at: datetime | None
    oldest_pending_seconds: float
    confirmed: int
    slot_active: bool | None
    retained_bytes: int | None


async def table_stats(pool: Pool) -> list[TableStats]:
    """Return the statistics of every table, largest first."""
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(TableStats)) as cursor:
        await cursor.execute(query("table_stats"))
        return await cursor.fetchall()


async def outbox_status(pool: Pool) -> OutboxStatus:
    """Return the state of the outbox."""
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(OutboxStatus)) as cursor:
        await cursor.execute(query("outbox_status"))
        found = await cursor.fetchone()
    if found is None:
        raise LookupError("a query of aggregates returned no row")
    return found
