"""`maintain`: what the schedule does, at once, told in a table."""

import asyncio
from datetime import timedelta

import pytest

from signal_pipeline.commands.maintain import maintain
from tests.integration.commands.conftest import World, event

_HARMLESS = 1  # breaks no rule: each signal has a row and no anomaly that would hold it


async def test_old_rows_go_and_young_ones_stay(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows past the given age are deleted and counted; once more nothing is left to delete."""
    await world.store(await world.accept([event(_HARMLESS) for _ in range(3)]))
    stored = world.run("SELECT count(*) FROM signals")[0][0]
    world.run(
        "UPDATE signals SET ingest_ts = now() - interval '2 hours' WHERE id = (SELECT min(id::text)::uuid FROM signals)"
    )
    for deleted in (1, 0):
        await asyncio.to_thread(maintain, world.settings, timedelta(hours=1))
        shown = capsys.readouterr().out
        assert [line.split()[-1] for line in shown.splitlines() if line.startswith("signals deleted")] == [str(deleted)]
        assert "ranges of BRIN indexes summarized" in shown
        assert world.run("SELECT count(*) FROM signals") == [(stored - 1,)]
    analysed = "SELECT count(*) FROM pg_stat_user_tables WHERE relname = 'signals' AND last_analyze IS NOT NULL"
    assert world.run(analysed) == [(1,)]
