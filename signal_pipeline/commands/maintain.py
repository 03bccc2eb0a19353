"""`maintain`: the maintenance of the schedule, at once and by hand."""

import asyncio
from dataclasses import asdict
from datetime import timedelta

from signal_pipeline.commands.screen import show_table
from signal_pipeline.settings import Settings
from signal_pipeline.store.maintenance import Purged, Upkeep, keep_up, purge
from signal_pipeline.store.pool import Pool

__all__ = ["maintain"]


def maintain(settings: Settings, retention: timedelta) -> None:
    """Delete what is older than `retention`, merge pending lists, analyse, and print what was done.

    Raises:
        PipelineError: PostgreSQL does not answer; what was done so far stays done.
    """
    purged, done = asyncio.run(_maintain(settings, retention))
    rows = [(f"{table.replace('_', ' ')} deleted", f"{count:,}") for table, count in asdict(purged).items()]
    rows += [
        ("pages of pending lists merged", f"{done.merged_pages:,}"),
        ("ranges of BRIN indexes summarized", f"{done.summarized_ranges:,}"),
    ]
    show_table(f"Maintenance (rows older than {retention})", ("what", "count"), rows)


async def _maintain(settings: Settings, retention: timedelta) -> tuple[Purged, Upkeep]:
    pool = Pool(settings.database_url.get_secret_value(), application_name="maintain", size=1)
    try:
        return await purge(pool, retention), await keep_up(pool, analyze_every=timedelta(0))
    finally:
        await pool.close()
