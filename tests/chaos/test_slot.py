"""The replication slot is lost: it shows, a person repairs it with two commands, and no event is lost."""

import asyncio
import time

import pytest

from tests.chaos.load import ANOMALOUS, ENOUGH, Load
from tests.chaos.slot import connector_states, drop_slot
from tests.chaos.symptoms import repeated_events, say, seconds_until_drained
from tests.support.pipeline import Pipeline
from tests.support.sender import Sender
from tests.support.waiting import wait_for

_RECOVERY_SECONDS = 180


@pytest.mark.long
async def test_cdc_5_slot_dropped(pipeline: Pipeline, sender: Sender) -> None:
    """CDC-5: without its slot the connector stops and says so; two commands publish all it missed, and go on."""
    repeated = await asyncio.to_thread(repeated_events, pipeline)
    async with Load(sender, ANOMALOUS) as load:
        await load.more()
        await asyncio.to_thread(drop_slot, pipeline)
        dropped = time.monotonic()
        await asyncio.to_thread(
            wait_for, lambda: "FAILED" in connector_states(pipeline), seconds=60, what="a failed connector"
        )
        detected = time.monotonic() - dropped
        await load.more(2 * ENOUGH)
    status = await asyncio.to_thread(_product, pipeline, "outbox-status")
    assert "missing" in status, status
    await asyncio.to_thread(_product, pipeline, "outbox", "republish", "--older-than", "0")
    await asyncio.to_thread(_product, pipeline, "outbox", "reconnect")
    assert connector_states(pipeline) == ["RUNNING", "RUNNING"]
    async with Load(sender, ANOMALOUS) as afterwards:
        await afterwards.more()
    await asyncio.to_thread(seconds_until_drained, pipeline, seconds=_RECOVERY_SECONDS)
    report = await asyncio.to_thread(pipeline.check, sender.sent(), seconds=_RECOVERY_SECONDS)
    assert report.sound, str(report)
    assert report.checked("I8") > load.accepted + afterwards.accepted  # two rules each
    repeated = await asyncio.to_thread(repeated_events, pipeline) - repeated
    say(f"CDC-5: failed {detected:.1f} s after the loss; {report.checked('I8'):,} events, {repeated} of them repeated")


def _product(pipeline: Pipeline, *arguments: str) -> str:
    done = pipeline.run("-m", "signal_pipeline", *arguments)
    assert done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
    return done.stdout
