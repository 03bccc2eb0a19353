"""Whatever is killed, frozen or cut off under load: nothing is lost, doubled, invented or altered."""

import asyncio
import random

import pytest

from tests.chaos.faults import FAULTS, Fault, wait_until_back
from tests.chaos.load import ENOUGH, Load
from tests.checker.model import RawRecord
from tests.support.pipeline import Pipeline
from tests.support.sender import Sender
from tests.support.watching import observer_of

_RECOVERY_SECONDS = 120


CELLS = [pytest.param(fault, id=fault.cell, marks=() if fault.short else pytest.mark.long) for fault in FAULTS]


@pytest.mark.parametrize("fault", CELLS)
async def test_nothing_is_lost_or_doubled(pipeline: Pipeline, sender: Sender, fault: Fault) -> None:
    """A fault under load, repeated at random moments, leaves no trace once everything is back."""
    seed = random.randrange(2**32)  # noqa: S311  to repeat a run, not a secret
    print(f"{fault.cell}: seed {seed}")  # noqa: T201  pytest shows it with a failure
    moments = random.Random(seed)  # noqa: S311
    with observer_of(pipeline, sender.source) as observer:
        sender.produce("signal-events", [(RawRecord(key=None, value=f"poison {seed}".encode()), None)])
        async with Load(sender) as load:
            for _ in range(fault.times):
                await load.more()
                await asyncio.sleep(moments.uniform(0, 0.2))
                before = pipeline.pids()[fault.service]
                await asyncio.to_thread(fault.inflict, pipeline, fault.service)
                if fault.ends_process:
                    await asyncio.to_thread(wait_until_back, pipeline, fault.service, before)
            await load.more()
        report = await asyncio.to_thread(pipeline.check, sender.sent(), seconds=_RECOVERY_SECONDS, observer=observer)
    assert report.sound, str(report)
    assert report.checked("I1") >= load.accepted >= (fault.times + 1) * ENOUGH
    assert report.checked("I8") > 0
    # Every record is covered by a commit of both groups, and was looked for in the stores when it was.
    assert report.checked("I5") >= 2 * load.accepted
    assert all(report.checked(invariant) > 0 for invariant in ("I11", "I13", "I14"))
