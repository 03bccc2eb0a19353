"""`maintain`: the maintenance of the schedule, at once and by hand."""

import asyncio
from dataclasses import asdict
from datetime import timedelta

from signal_pipeline.commands.screen import show_table
from signal_pipeline.settings import Settings
from signal_pipeline.store.maintenance import Purged, analyze, clean_gin_pending, purge
from signal_pipeline.store.pool import Pool

__all__ = ["maintain"]


def maintain(settings: Settings, retention: timedelta) -> None:
    """Delete what is older than `retention`, merge pending lists, analyse, and print what was done.

    Raises:
        PipelineError: PostgreSQL does not answer; what was done so far stays done.
    """
    purged, merged_pages, summarized_ranges = asyncio.run(_maintain(settings, retention))
    rows = [(f"{table.replace('_', ' ')} deleted", f"{count:,}") for table, count in asdict(purged).items()]
    rows += [
        ("pages of pending lists merged", f"{merged_pages:,}"),
        ("ranges of BRIN indexes summarized", f"{summarized_ranges:,}"),
    ]
    show_table(f"Maintenance (rows older than {retention})", ("what", "count"), rows)


async def _maintain(settings: Settings, retention: timedelta) -> tuple[Purged, int, int]:
    pool = Pool(settings.database_url.get_secret_value(), application_name="maintain", size=1)
    try:
        purged = await purge(pool, retention)
        return purged, sum((await clean_gin_pending(pool)).values()), await analyze(pool)
    finally:
        await pool.close()
