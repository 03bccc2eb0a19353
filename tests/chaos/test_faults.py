"""Whatever is killed, frozen or cut off under load: nothing is lost, doubled, invented or altered."""

import asyncio
import random

import pytest

from tests.chaos.faults import FAULTS, Fault, wait_until_back
from tests.checker.model import RawRecord
from tests.support.pipeline import Pipeline
from tests.support.sender import Sender, events

_SENDERS = 3
_BATCH = 20
_PAUSE_SECONDS = 0.02
_ENOUGH = 300  # accepted events on either side of a fault: some per partition
_RECOVERY_SECONDS = 120


class Load:
    """Senders that go on through the fault, each repeating a batch until it is accepted."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._ending = asyncio.Event()
        self._tasks = [asyncio.create_task(self._run()) for _ in range(_SENDERS)]
        self.accepted = 0

    async def more(self) -> None:
        """Wait until enough further events are accepted; what a sender fails on is raised here."""
        target = self.accepted + _ENOUGH
        while self.accepted < target:
            done, _ = await asyncio.wait(self._tasks, timeout=0.05, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()

    async def end(self) -> None:
        """Let every sender finish the batch that it is at."""
        self._ending.set()
        await asyncio.gather(*self._tasks)

    async def _run(self) -> None:
        while not self._ending.is_set():
            await self._sender.post_all([events(_BATCH, self._sender.source)])
            self.accepted += _BATCH
            await asyncio.sleep(_PAUSE_SECONDS)


CELLS = [pytest.param(fault, id=fault.cell, marks=() if fault.short else pytest.mark.long) for fault in FAULTS]


@pytest.mark.parametrize("fault", CELLS)
async def test_nothing_is_lost_or_doubled(pipeline: Pipeline, sender: Sender, fault: Fault) -> None:
    """A fault under load, repeated at random moments, leaves no trace once everything is back."""
    seed = random.randrange(2**32)  # noqa: S311  to repeat a run, not a secret
    print(f"{fault.cell}: seed {seed}")  # noqa: T201  pytest shows it with a failure
    moments = random.Random(seed)  # noqa: S311
    sender.produce("signal-events", [(RawRecord(key=None, value=f"poison {seed}".encode()), None)])
    load = Load(sender)
    for _ in range(fault.times):
        await load.more()
        await asyncio.sleep(moments.uniform(0, 0.2))
        before = pipeline.pids()[fault.service]
        await asyncio.to_thread(fault.inflict, pipeline, fault.service)
        if fault.ends_process:
            await asyncio.to_thread(wait_until_back, pipeline, fault.service, before)
    await load.more()
    await load.end()
    report = await asyncio.to_thread(pipeline.check, sender.sent(), seconds=_RECOVERY_SECONDS)
    assert report.sound, str(report)
    assert report.checked("I1") >= load.accepted >= (fault.times + 1) * _ENOUGH
    assert report.checked("I8") > 0
