"""A link of the pipeline is bad: nothing is lost or doubled, no part grows or ends, and all recover by themselves."""

import asyncio
import contextlib
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest

from signal_pipeline.topology import SIGNAL_EVENTS
from tests.chaos.network import CELLS, REPLAY_CELLS, Cell, Way
from tests.chaos.stage import Stage
from tests.chaos.stage_parts import Part
from tests.chaos.test_recovery_moments import lease_is_over, record, stored, tick
from tests.support.proxy import Proxy
from tests.support.proxy_rules import Blackhole, Pass
from tests.support.sender import binary_record, events

_EVENTS = 200  # before the fault, and again during it
_LETTERS = 100
_MAX_MIB = 400  # a part at rest has about 100
_RECOVERY_SECONDS = 60
_CASES = [pytest.param(cell, id=cell.name, marks=() if cell.short else pytest.mark.long) for cell in CELLS]
_REPLAY_CASES = [pytest.param(cell, id=cell.name, marks=pytest.mark.long) for cell in REPLAY_CELLS]


async def set_up(stage: Stage, way: Way) -> tuple[Proxy, Part]:
    """Start what a signal passes; return the proxy on the link, and the part that uses it."""
    if way is Way.FUNCTION_DATABASE:
        link = await stage.database_link()
        user = await stage.function("process-signal", database=link)
        await stage.trigger("process-signal").ready()
        return link, user
    await stage.function("process-signal")
    on_http, on_broker = way is Way.TRIGGER_HTTP, way is Way.TRIGGER_BROKER
    link = await (stage.http_link("process-signal") if on_http else stage.broker_link())
    trigger = stage.trigger("process-signal", http=link if on_http else None, broker=link if on_broker else None)
    await trigger.ready()
    return link, await stage.function("emit", broker=link) if way is Way.EMIT_BROKER else trigger


async def send(stage: Stage, way: Way) -> None:
    """Send events to emit when its link is the bad one, else to Kafka, which then answers at once."""
    carried = events(_EVENTS, stage.sender.source)
    if way is Way.EMIT_BROKER:
        await stage.sender.post_all([carried[:100], carried[100:]])
        return
    records: Sequence[Any] = [(binary_record(one, key=one["subject"].encode()), one) for one in carried]
    await asyncio.to_thread(stage.sender.produce, SIGNAL_EVENTS.name, records)


async def suffered(link: Proxy, cell: Cell, work: Callable[[], Awaitable[None]]) -> float:
    """Do work over a bad link, and prove that it was bad; return how long the work took after the end of an outage."""
    carried, broken = link.carried, link.broken
    link.obey(rule := cell.fault.rule())
    task = asyncio.ensure_future(work())
    began = time.monotonic()
    if cell.fault.outage_seconds:
        await asyncio.sleep(cell.fault.outage_seconds)  # the length of the fault, not a wait for something
        if isinstance(rule, Blackhole):
            assert (link.carried, rule.swallowed.is_set()) == (carried, True), "something came through, or nobody tried"
        else:
            assert link.broken > broken, "nothing was reset"
        link.obey(Pass())
        began = time.monotonic()
    await task
    assert link.carried > carried, "nothing passed"
    return time.monotonic() - began


def peak_mib(part: Part) -> int:
    """Return the most memory that a living process ever had, in MiB."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{part.pid}/status").read_text())
    assert found is not None, f"{part.name} ended"
    return int(found[1]) // 1024


@pytest.mark.parametrize("cell", _CASES)
async def test_signals_pass_a_bad_link(stage: Stage, cell: Cell) -> None:
    """Every accepted signal is one row, intact; the part that had the bad link lives on and is not much larger."""
    link, user = await set_up(stage, cell.way)
    await send(stage, cell.way)
    await stage.drained("process-signal")

    async def work() -> None:
        await send(stage, cell.way)
        await stage.drained("process-signal")

    seconds = await suffered(link, cell, work)
    assert seconds < _RECOVERY_SECONDS
    memory = peak_mib(user)
    print(f"{cell.name}: done after {seconds:.1f} s, {memory} MiB, {link.broken} resets")  # noqa: T201  -rP shows it
    assert memory < _MAX_MIB
    assert stage.one("SELECT count(*) FROM signals") == 2 * _EVENTS
    findings = stage.report(stage.sender.sent()).findings
    assert [one for one in findings if one.invariant in {"I1", "I2", "I3", "I4", "I9"}] == []


async def replayed(stage: Stage) -> None:
    """Tick until every dead letter is marked; a tick that failed leaves a lease, which is over at once here."""

    def left() -> int:
        return int(stage.one("SELECT count(*) FROM dead_letters WHERE status = 'scheduled'"))

    while await asyncio.to_thread(left):
        with contextlib.suppress(URLError, OSError):
            await tick(stage)
        lease_is_over(stage)


@pytest.mark.parametrize("cell", _REPLAY_CASES)
async def test_replay_over_a_bad_link(stage: Stage, cell: Cell) -> None:
    """Every dead letter is published and marked in the end, and is one row, however often it was published."""
    ids = await record(stage, _LETTERS)
    on_broker = cell.way is Way.REPLAY_BROKER
    link = await (stage.broker_link() if on_broker else stage.database_link())
    user = await stage.function("replay-dlq", broker=link if on_broker else None, database=None if on_broker else link)
    seconds = await suffered(link, cell, lambda: replayed(stage))
    assert seconds < _RECOVERY_SECONDS
    memory = peak_mib(user)
    print(f"{cell.name}: done after {seconds:.1f} s, {memory} MiB, {link.broken} resets")  # noqa: T201  -rP shows it
    assert memory < _MAX_MIB
    assert stage.world.run("SELECT DISTINCT status FROM dead_letters") == [("replayed",)]
    await stored(stage, ids)
