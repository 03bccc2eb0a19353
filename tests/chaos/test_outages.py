"""Whatever is away, frozen, locked or refused for a while under load: nothing is lost, and all is drained after it."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.chaos.database_outages import Crowded, LongTransaction, ReadOnly, TableLocked, WalSenderEnded
from tests.chaos.load import ANOMALOUS, BRISK, Load, Pace
from tests.chaos.outages import Frozen, Outage, Restarted, Stopped, WithSymptom
from tests.chaos.symptoms import repeated_events, retries, say, seconds_until_drained
from tests.checker.model import RawRecord
from tests.support.pipeline import Pipeline
from tests.support.sender import Sender

_RECOVERY_SECONDS = 180
_held_back = retries("process-signal", "dependency")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell of the fault matrix.

    Attributes:
        name: Its name.
        make: Makes the fault.
        seconds: How long it lasts.
        pace: The load meanwhile.
    """

    name: str
    make: Callable[[], Outage]
    seconds: float = 0
    pace: Pace = BRISK


CELLS = (
    Cell(name="KAF-2-kafka-frozen-40s", make=lambda: Frozen(service="kafka"), seconds=40),
    Cell(name="KAF-4-kafka-restarts", make=lambda: Restarted(service="kafka", times=10)),
    Cell(
        name="PG-3-postmaster-frozen-20s",
        make=lambda: Frozen(service="postgres"),  # sessions go on, new ones are not answered
        seconds=20,
    ),
    Cell(
        name="PG-3-postgres-stopped-20s",
        make=lambda: WithSymptom(fault=Stopped(services=["postgres"]), symptom=_held_back),
        seconds=20,
    ),
    Cell(name="PG-5-read-only", make=lambda: WithSymptom(fault=ReadOnly(), symptom=_held_back), seconds=10),
    Cell(name="PG-5-no-connections", make=lambda: WithSymptom(fault=Crowded(), symptom=_held_back), seconds=10),
    Cell(
        name="PG-6-table-locked",
        make=lambda: WithSymptom(fault=TableLocked("signals"), symptom=_held_back),
        seconds=20,  # longer than the functions' statement timeout of 15 s
    ),
    Cell(name="CDC-2-walsender-ended", make=lambda: WalSenderEnded(times=5)),
    Cell(name="CDC-3-killed-in-multi-row-batches", make=lambda: Restarted(service="connect", times=2), pace=ANOMALOUS),
    Cell(name="CDC-4-long-transaction", make=LongTransaction, seconds=5, pace=ANOMALOUS),
    Cell(name="TRG-2-frozen-beyond-poll-interval", make=lambda: Frozen(service="process-signal-trigger"), seconds=130),
)


@pytest.mark.long
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
async def test_nothing_is_lost_and_all_is_drained(pipeline: Pipeline, sender: Sender, cell: Cell) -> None:
    """While it lasts senders repeat; afterwards every accepted event is there once, and no healthy one in the DLQ."""
    seed = random.randrange(2**32)  # noqa: S311  to repeat a run, not a secret
    outage = cell.make()
    repeated = await asyncio.to_thread(repeated_events, pipeline)
    sender.produce("signal-events", [(RawRecord(key=None, value=f"poison {seed}".encode()), None)])
    async with Load(sender, cell.pace) as load:
        await load.more()
        await asyncio.sleep(random.Random(seed).uniform(0, 0.2))  # noqa: S311
        try:
            await asyncio.to_thread(outage.inflict, pipeline)
            await asyncio.sleep(cell.seconds)
        finally:
            await asyncio.to_thread(outage.heal, pipeline)
        healed = time.monotonic()
        await load.more()
        flowing = time.monotonic() - healed
    proof = await asyncio.to_thread(outage.proves, pipeline)
    drained = await asyncio.to_thread(seconds_until_drained, pipeline, seconds=_RECOVERY_SECONDS)
    report = await asyncio.to_thread(pipeline.check, sender.sent(), seconds=_RECOVERY_SECONDS)
    assert report.sound, str(report)
    assert report.checked("I1") >= load.accepted
    assert report.checked("I8") > 0
    repeated = await asyncio.to_thread(repeated_events, pipeline) - repeated
    say(
        f"{cell.name}: seed {seed}; {proof}; {load.accepted:,} accepted; accepting again after {flowing:.1f} s, "
        f"drained {drained:.1f} s after the load; {repeated} events repeated on anomaly-events"
    )
