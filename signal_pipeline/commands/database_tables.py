"""`db-stats` and `outbox-status`: what PostgreSQL's own statistics and the outbox say."""

from typing import Any

from signal_pipeline.commands.database import records_of, rows_of
from signal_pipeline.commands.screen import duration, show_table, size
from signal_pipeline.settings import Settings
from signal_pipeline.store.stats import OutboxStatus, TableStats

__all__ = ["show_database", "show_outbox"]


def show_database(settings: Settings) -> None:
    """Print size and use of tables and indexes, and the pending lists of GIN indexes."""
    tables = records_of(settings, "table_stats", TableStats)
    columns = ("table", "rows", "dead", "table scans", "index scans", "HOT updates", "dead share", "size", "indexes")
    show_table("Tables (rows are PostgreSQL's estimates)", columns, (_table_row(table) for table in tables))
    indexes = rows_of(settings, "index_usage")
    shown = (
        (row["table_name"], row["index_name"], row["scans"], row["entries_read"], size(row["index_bytes"]), _use(row))
        for row in indexes
    )
    show_table("Indexes", ("table", "index", "scans", "entries read", "size", "use"), shown)
    pending = rows_of(settings, "gin_pending")
    lists = ((row["index_name"], row["pending_pages"], row["pending_tuples"]) for row in pending)
    show_table("Pending lists of GIN indexes", ("index", "pages", "entries"), lists)


def show_outbox(settings: Settings) -> None:
    """Print what waits in the outbox and what the server retains for its slot."""
    (status,) = records_of(settings, "outbox_status", OutboxStatus)
    rows = (
        ("pending", f"{status.pending:,}"),
        ("oldest pending", duration(status.oldest_pending_seconds) if status.pending else None),
        ("confirmed", f"{status.confirmed:,}"),
        ("total", f"{status.pending + status.confirmed:,}"),
        ("slot", _slot(status)),
        ("log retained for it", size(status.retained_bytes)),
    )
    show_table("Outbox", ("figure", "value"), rows)


def _table_row(table: TableStats) -> tuple[Any, ...]:
    return (
        table.table_name,
        table.live_rows,
        table.dead_rows,
        table.seq_scan,
        table.idx_scan,
        _share(table.hot_update_share),
        _share(table.dead_row_share),
        size(table.table_bytes),
        size(table.index_bytes),
    )


def _share(share: float | None) -> str | None:
    return None if share is None else f"{float(share):.1%}"


def _use(row: dict[str, Any]) -> str:
    if row["backs_constraint"]:
        return "constraint"
    return "unused" if row["unused"] else "used"


def _slot(status: OutboxStatus) -> str:
    if status.slot_active is None:
        return "missing: Debezium cannot know what it missed; make it begin anew: signal-pipeline outbox reconnect"
    return "read by Debezium" if status.slot_active else "nobody reads it; see make debezium-config"
