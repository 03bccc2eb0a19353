"""The guide's own commands bring a destroyed database back, and lose nothing that came after the backup."""

import asyncio
import os
import subprocess
from pathlib import Path

import psycopg
import pytest

from tests.chaos.load import ANOMALOUS, ENOUGH, Load
from tests.chaos.symptoms import repeated_events, say, seconds_until_drained
from tests.support.guides import blocks, moved, section
from tests.support.pipeline import ROOT, Pipeline, own_pipeline
from tests.support.sender import Sender

GUIDE = ROOT / "docs" / "operations" / "backup.md"
_COMMANDS_SECONDS = 400
_RECOVERY_SECONDS = 180
# Everything that the database knows of what was sent; times of arrival and detection are those of the restored rows.
_ROWS = (
    "SELECT id, source, user_id, type, event_ts, payload FROM signals ORDER BY id",
    "SELECT id, signal_event_id, anomaly_type, user_id, severity, context FROM anomalies ORDER BY id",
    "SELECT id, aggregateid, subject FROM outbox_events ORDER BY id",
    "SELECT username, password_hash FROM users ORDER BY username",
    "SELECT name, sha256 FROM schema_migrations ORDER BY name",
)


@pytest.mark.long
@pytest.mark.timeout(1200)
async def test_a_destroyed_database_is_restored_by_the_guide(tmp_path: Path) -> None:
    """After backup, more traffic, loss and restore every row is back, new anomalies are published, the audit passes."""
    pipeline = own_pipeline("restore", SIGNALS_PER_SECOND="0")
    try:
        await asyncio.to_thread(pipeline.local, "up")
        async with Sender(pipeline.settings, tmp_path / "ledger.jsonl") as sender:
            await _lose_and_restore(pipeline, sender, tmp_path)
    finally:
        await asyncio.to_thread(pipeline.local, "clean")


async def _lose_and_restore(pipeline: Pipeline, sender: Sender, folder: Path) -> None:
    async with Load(sender, ANOMALOUS) as load:
        await load.more()
        # Under load: events are under way while the offsets are saved and the dump begins.
        await _guide(pipeline, "Back up", folder)
        await load.more(2 * ENOUGH)
    await asyncio.to_thread(seconds_until_drained, pipeline, seconds=_RECOVERY_SECONDS)
    before = await asyncio.to_thread(_rows, pipeline)
    shown = await _guide(pipeline, "Restore", folder)
    assert "every event is accounted for" in shown
    assert await asyncio.to_thread(_rows, pipeline) == before
    repeated = await asyncio.to_thread(repeated_events, pipeline)
    assert repeated > 0, "nothing was published again: the dump was not older than the loss"
    async with Load(sender, ANOMALOUS) as afterwards:
        await afterwards.more()
    await asyncio.to_thread(seconds_until_drained, pipeline, seconds=_RECOVERY_SECONDS)
    report = await asyncio.to_thread(pipeline.check, sender.sent(), seconds=_RECOVERY_SECONDS)
    assert report.sound, str(report)
    assert report.checked("I8") > load.accepted + afterwards.accepted  # two rules each
    say(f"restored {len(before[0]):,} signals; {repeated} anomaly events were published again under the same ids")


async def _guide(pipeline: Pipeline, heading: str, folder: Path) -> str:
    """Run all commands of a section of the guide, with the backup in a folder of the test's own."""
    commands = "".join(block.text for block in blocks(section(GUIDE, heading), "sh"))
    text = moved(commands, pipeline).replace("backup/", f"{folder}/backup/").replace("mkdir -p backup\n", "")
    (folder / "backup").mkdir(exist_ok=True)
    done = await asyncio.to_thread(_run, text, pipeline)
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _run(text: str, pipeline: Pipeline) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", text],
        cwd=ROOT,
        env={**os.environ, **pipeline.variables, "MODE": "process"},
        capture_output=True,
        text=True,
        timeout=_COMMANDS_SECONDS,
        check=False,
    )


def _rows(pipeline: Pipeline) -> list[list[tuple[object, ...]]]:
    with psycopg.connect(pipeline.database_url) as connection:
        return [connection.execute(statement).fetchall() for statement in _ROWS]  # type: ignore[call-overload]
