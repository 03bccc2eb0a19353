"""Each process dies at its worst moments, stopped there by a proxy: rows, dead letters and anomalies are counted."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from signal_pipeline.topology import SIGNAL_EVENTS
from tests.chaos.moments import FUNCTION_MOMENTS, TRIGGER_MOMENTS, FunctionMoment, Link, TriggerMoment, end_of
from tests.chaos.stage import Stage, reached
from tests.chaos.stage_parts import leave_group
from tests.checker.model import Position, RawRecord
from tests.support.sender import binary_record, event

EVENTS = 20
_POISON = b"poison \xff\x00"
_KEY = b"one partition, and so one batch"
_EFFECT = {
    "process-signal": "SELECT count(*) FROM signals",
    "detect-anomaly": "SELECT count(*) FROM anomalies",
}
# An early commit or answer has this long to show itself: a trigger commits every 0.1 s.
_DWELL_SECONDS = 0.5
_SESSION_SECONDS = 10
_START_SECONDS = 20  # a process on a busy machine


def healthy(stage: Stage, *, anomalous: bool) -> list[dict[str, Any]]:
    """Return events that break the one rule high_data_value each, or none."""
    data = {"session_id": "sess_12345", "data": f"sample_data_{99 if anomalous else 50}"}
    return [event(stage.sender.source, data=data, type="click", subject=f"user_{n}") for n in range(EVENTS)]


def send(stage: Stage, carried: list[dict[str, Any]]) -> Position:
    """Write events and one poison record behind them; return where the poison is."""
    records: list[tuple[RawRecord, dict[str, Any] | None]] = [(binary_record(one, key=_KEY), one) for one in carried]
    stage.sender.produce(SIGNAL_EVENTS.name, [*records, (RawRecord(key=_KEY, value=_POISON), None)])
    last = stage.sender.sent()[-1].record
    assert last is not None
    assert last.position is not None
    return last.position


def later_version(carried: dict[str, Any]) -> dict[str, Any]:
    """Return an event as its source might send it again a second later, with other data."""
    when = datetime.now(UTC) + timedelta(seconds=1)
    return {**carried, "time": when.isoformat(), "data": {**carried["data"], "data": "sample_data_51"}}


async def recovered(name: str, work: Callable[[], Any]) -> None:
    """Wait for the end of a recovery and tell how long it took."""
    began = time.monotonic()
    await work()
    print(f"{name}: recovered in {time.monotonic() - began:.1f} s")  # noqa: T201  `pytest -rP` shows it


@pytest.mark.parametrize("moment", FUNCTION_MOMENTS, ids=lambda moment: moment.name)
async def test_a_function_dies(stage: Stage, moment: FunctionMoment) -> None:
    """What was not committed is gone, what was is there; the next process gets the batch again and changes nothing."""
    role, effect = moment.role, _EFFECT[moment.role]
    carried = healthy(stage, anomalous=role == "detect-anomaly")
    poison = send(stage, [*carried, later_version(carried[0])] if moment.versions else carried)
    link = await stage.database_link()
    victim = await stage.function(role, database=link)
    hold = link.hold(moment.stops)
    stage.trigger(role)
    await reached(hold.reached, moment.name)
    victim.kill()
    await link.cut()
    assert stage.one(effect) == (EVENTS if moment.stored else 0)

    async def recovery() -> None:
        await stage.function(role)
        await stage.drained(role)

    await recovered(moment.name, recovery)
    assert stage.one(effect) == EVENTS
    assert stage.trigger_counter(role, "trigger_retries_total", failure_class="dependency") >= EVENTS
    again = EVENTS if moment.stored else 0
    if role == "process-signal":
        assert stage.function_counter(role, "signals_stored_total", outcome="unchanged") == again
        (letter,) = stage.letters(poison)
        assert (letter.key, letter.value) == (_KEY, _POISON)
        assert stage.report(stage.sender.sent()).sound
    else:
        assert stage.function_counter(role, "outbox_events_total") == EVENTS - again
        assert stage.one("SELECT count(*) FROM outbox_events") == EVENTS
        assert stage.one("SELECT count(DISTINCT aggregateid) FROM outbox_events") == EVENTS


async def killed_trigger(stage: Stage, moment: TriggerMoment, poison: Position) -> None:
    """Start a trigger, stop it at a moment, kill it there."""
    on_http = moment.link is Link.HTTP
    link = await (stage.http_link("process-signal") if on_http else stage.broker_link())
    victim = stage.trigger("process-signal", **{moment.link.value: link})
    hold = link.hold(moment.stops(end_of(poison.partition, poison.offset + 1)))
    await reached(hold.reached, moment.name)
    await asyncio.sleep(_DWELL_SECONDS)  # the length of the fault, not a wait for something
    victim.kill()
    await link.cut()


@pytest.mark.parametrize("moment", TRIGGER_MOMENTS, ids=lambda moment: moment.name)
async def test_a_trigger_dies(stage: Stage, moment: TriggerMoment) -> None:
    """The offset moves only behind rows and dead letters: the next process repeats the rest and nothing else."""
    poison = send(stage, healthy(stage, anomalous=False))
    await stage.function("process-signal")
    await killed_trigger(stage, moment, poison)
    assert stage.one("SELECT count(*) FROM signals") == (EVENTS if moment.stored else 0)
    await asyncio.to_thread(leave_group, stage.world.kafka, "process-signal")

    # One more event, which the next process must deliver: what it has not delivered by then it never will.
    (last,) = healthy(stage, anomalous=False)[:1]
    stage.sender.produce(SIGNAL_EVENTS.name, [(binary_record(last, key=_KEY), last)])

    async def recovery() -> None:
        stage.trigger("process-signal")
        await stage.drained("process-signal")

    await recovered(moment.name, recovery)
    assert stage.one("SELECT count(*) FROM signals") == EVENTS + 1
    assert stage.function_counter("process-signal", "signals_consumed_total") == EVENTS * moment.delivered + 1
    letters = stage.letters(poison)
    assert [(one.key, one.value) for one in letters] == [(_KEY, _POISON)] * moment.letters
    assert len({dict(one.headers)["ce_dlqid"] for one in letters}) == 1
    findings = stage.report(stage.sender.sent()).findings
    # A record and an offset are two writes; between them a death doubles the record and not its id.
    assert [one.invariant for one in findings] == (["I9"] if moment.letters > 1 else [])


@pytest.mark.long
async def test_the_group_notices_by_itself_that_a_trigger_died(stage: Stage) -> None:
    """Without any help the next process has the partitions after the session timeout of 10 s, and repeats the batch."""
    poison = send(stage, healthy(stage, anomalous=False))
    await stage.function("process-signal")
    moment = next(one for one in TRIGGER_MOMENTS if one.name == "after-the-function-stored")
    await killed_trigger(stage, moment, poison)
    began = time.monotonic()
    stage.trigger("process-signal")
    await stage.drained("process-signal")
    assert time.monotonic() - began < _SESSION_SECONDS + _START_SECONDS
    assert stage.one("SELECT count(*) FROM signals") == EVENTS
    assert stage.function_counter("process-signal", "signals_consumed_total") == EVENTS * moment.delivered
