"""Triggers that come, go, freeze and start from the beginning; a partition that is slow alone."""

import asyncio
import os
import random
import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.chaos.load import ENOUGH, Load
from tests.chaos.symptoms import retries, say, seconds_until_drained
from tests.chaos.triggers import CommitWitness, committed, extra_trigger
from tests.checker.model import RawRecord
from tests.support.metrics import real_lag
from tests.support.pipeline import ROOT, Pipeline
from tests.support.sender import Sender, binary_record, event
from tests.support.waiting import wait_for

pytestmark = pytest.mark.long

_GROUP, _TOPIC, _TRIGGER = "process-signal", "signal-events", "process-signal-trigger"
_RECOVERY_SECONDS = 120
_SESSION_SECONDS = 10  # after which the group gives a silent trigger's partitions to another
_STATEMENT_SECONDS = 15  # after which a function gives a waiting statement up
_JOINS = 6


async def _judge(pipeline: Pipeline, sender: Sender, load: Load) -> float:
    drained = await asyncio.to_thread(seconds_until_drained, pipeline, seconds=_RECOVERY_SECONDS)
    report = await asyncio.to_thread(pipeline.check, sender.sent(), seconds=_RECOVERY_SECONDS)
    assert report.sound, str(report)
    assert report.checked("I1") >= load.accepted
    return drained


async def test_trg_4_rebalance_storm(pipeline: Pipeline, sender: Sender) -> None:
    """TRG-4: triggers join and leave, in order or killed, under load: nothing is lost and no commit goes backwards."""
    seed = random.randrange(2**32)  # noqa: S311  to repeat a run, not a secret
    moments = random.Random(seed)  # noqa: S311
    ends = []
    with CommitWitness(pipeline, _GROUP, _TOPIC) as witness:
        async with Load(sender) as load:
            for _ in range(_JOINS):
                end = moments.choice((signal.SIGTERM, signal.SIGKILL))
                ends.append(end.name)
                await asyncio.to_thread(_join_and_leave, pipeline, end)
                await load.more()
        drained = await _judge(pipeline, sender, load)
    assert witness.looks > _JOINS
    assert not witness.backwards
    say(f"TRG-4: seed {seed}; {ends}; {load.accepted:,} accepted; drained {drained:.1f} s after the load")


def _join_and_leave(pipeline: Pipeline, end: signal.Signals) -> None:
    before = _assignments(pipeline)
    with extra_trigger(pipeline) as process:
        wait_for(lambda: _assignments(pipeline) > before, seconds=30, what="a rebalance")
        process.send_signal(end)
        process.wait(40)


def _assignments(pipeline: Pipeline) -> int:
    """Return how often partitions moved, as the pipeline's own trigger and the further ones say in their logs."""
    logs = [pipeline.state / "logs" / f"{name}.log" for name in (_TRIGGER, "extra-trigger")]
    return sum(log.read_text(errors="replace").count("partitions_assigned") for log in logs if log.exists())


async def test_trg_7_frozen_trigger_is_replaced(pipeline: Pipeline, sender: Sender) -> None:
    """TRG-7: one of two triggers freezes, the other takes over; when it wakes its late commits change nothing."""
    pid = pipeline.pids()[_TRIGGER]
    with CommitWitness(pipeline, _GROUP, _TOPIC) as witness, extra_trigger(pipeline):
        async with Load(sender) as load:
            await load.more()
            os.kill(pid, signal.SIGSTOP)
            try:
                frozen = time.monotonic()
                before = await asyncio.to_thread(committed, pipeline, _GROUP, _TOPIC)
                await load.more()
                await asyncio.to_thread(
                    wait_for, lambda: _all_moved(pipeline, before), seconds=60, what="commits on every partition"
                )
                taken_over = time.monotonic() - frozen
            finally:
                os.kill(pid, signal.SIGCONT)
            await load.more()
        drained = await _judge(pipeline, sender, load)
    assert taken_over >= _SESSION_SECONDS / 2, "its partitions never stood still: it had none, or was not frozen"
    assert pipeline.pids()[_TRIGGER] == pid
    assert not witness.backwards
    say(f"TRG-7: taken over after {taken_over:.1f} s; drained {drained:.1f} s after the load")


def _all_moved(pipeline: Pipeline, before: dict[int, int]) -> bool:
    now = committed(pipeline, _GROUP, _TOPIC)
    return all(now[partition] > offset for partition, offset in before.items())


async def test_trg_8_new_group_reads_old_events(pipeline: Pipeline, sender: Sender, tmp_path: Path) -> None:
    """TRG-8: a group that begins today delivers every old event again, and nothing in the tables changes."""
    async with Load(sender) as load:
        await load.more(2 * ENOUGH)
    await _judge(pipeline, sender, load)
    before = await asyncio.to_thread(_rows, pipeline)
    group = f"late-{uuid.uuid4()}"
    folder = _manifests(tmp_path, group)
    with extra_trigger(pipeline, folder=folder):
        await asyncio.to_thread(
            wait_for,
            lambda: committed(pipeline, group, _TOPIC) and real_lag(pipeline.settings, group, _TOPIC) == 0,
            seconds=_RECOVERY_SECONDS,
            what="the end of the topic",
        )
    delivered = sum(committed(pipeline, group, _TOPIC).values())
    assert delivered >= load.accepted
    assert await asyncio.to_thread(_rows, pipeline) == before
    await _judge(pipeline, sender, load)
    say(f"TRG-8: a new group went over {delivered:,} offsets; no row changed")


def _manifests(folder: Path, group: str) -> Path:
    for manifest in (ROOT / "triggers").glob("*.yaml"):
        text = manifest.read_text().replace("consumerGroup: process-signal\n", f"consumerGroup: {group}\n")
        (folder / manifest.name).write_text(text)
    return folder


def _rows(pipeline: Pipeline) -> object:
    """Return a figure of each table that any repeated effect would change; xmin changes with every write of a row."""
    statement = """
        SELECT (SELECT (count(*), sum(xmin::text::bigint))::text FROM signals),
               (SELECT (count(*), sum(xmin::text::bigint))::text FROM anomalies),
               (SELECT count(*) FROM outbox_events), (SELECT count(*) FROM superseded_signals)
    """
    with psycopg.connect(pipeline.database_url) as connection:
        return connection.execute(statement).fetchone()


async def test_trg_5_one_slow_partition(pipeline: Pipeline, sender: Sender) -> None:
    """TRG-5: while the events of one partition wait for a lock, those of the others are stored as if it were not."""
    blocked = event(sender.source, subject=f"user-{uuid.uuid4()}")
    await sender.post_all([[blocked]])
    await asyncio.to_thread(wait_for, lambda: _stored(pipeline, blocked["id"]), seconds=30, what="the row")
    symptom = retries(_GROUP, "dependency")(pipeline)
    async with Load(sender) as load:
        with _row_locked(pipeline, blocked["id"]):
            before = await asyncio.to_thread(committed, pipeline, _GROUP, _TOPIC)
            await sender.post_all([[blocked]])  # the same event again: its statement waits for the row
            # The first delivery may carry other partitions too: they wait once, for one statement's time.
            await asyncio.sleep(2 * _STATEMENT_SECONDS)
            middle = await asyncio.to_thread(committed, pipeline, _GROUP, _TOPIC)
            await load.more(4 * ENOUGH)
            await asyncio.to_thread(
                wait_for, lambda: len(_moved(pipeline, middle)) >= 5, seconds=10, what="progress of the five others"
            )
            slow = set(middle) - _moved(pipeline, middle)
        await load.more()
    drained = await _judge(pipeline, sender, load)
    assert len(slow) == 1, f"partitions that stood still: {sorted(slow)}"
    say(
        f"TRG-5: partition {slow.pop()} stood still, from {before} to {middle} the others moved; "
        f"{symptom.proves()}; drained {drained:.1f} s after the load"
    )


def _moved(pipeline: Pipeline, before: dict[int, int]) -> set[int]:
    now = committed(pipeline, _GROUP, _TOPIC)
    return {partition for partition, offset in before.items() if now[partition] > offset}


def _stored(pipeline: Pipeline, row_id: str) -> bool:
    with psycopg.connect(pipeline.database_url) as connection:
        return connection.execute("SELECT 1 FROM signals WHERE id = %s", [row_id]).fetchone() is not None


@contextmanager
def _row_locked(pipeline: Pipeline, row_id: str) -> Iterator[None]:
    with psycopg.connect(pipeline.database_url) as connection:
        connection.execute("SELECT 1 FROM signals WHERE id = %s FOR UPDATE", [row_id])
        yield
        connection.rollback()


async def test_pg_6_deadlocks(pipeline: Pipeline, sender: Sender) -> None:
    """PG-6: a function that is the victim of a deadlock tries again at once, and nothing becomes a dead letter."""
    first, second = sorted((event(sender.source), event(sender.source)), key=lambda each: str(each["id"]))
    # One key, so that both lie in one partition and come in one batch, whose statement locks in the order of ids.
    pair = [(binary_record(each, key=b"deadlock"), each) for each in (first, second)]
    await asyncio.to_thread(sender.produce, _TOPIC, pair)
    await asyncio.to_thread(wait_for, lambda: _stored(pipeline, second["id"]), seconds=30, what="the rows")
    symptom = retries(_GROUP, "contention")(pipeline)
    for _ in range(3):
        await asyncio.to_thread(_deadlock, pipeline, sender, pair)
    async with Load(sender) as load:
        await load.more()
    await _judge(pipeline, sender, load)
    say(f"PG-6: {symptom.proves()}")


def _deadlock(pipeline: Pipeline, sender: Sender, pair: list[tuple[RawRecord, dict[str, object]]]) -> None:
    first, second = (carried["id"] for _, carried in pair)
    with psycopg.connect(pipeline.database_url) as connection:
        # This session never looks for deadlocks itself, so that the function's one is the victim.
        connection.execute("SET deadlock_timeout = '1min'")
        connection.execute("SELECT 1 FROM signals WHERE id = %s FOR UPDATE", [second])
        sender.produce(_TOPIC, pair)
        wait_for(lambda: _waits_for_lock(pipeline), seconds=10, what="a statement that waits for the second row")
        connection.execute("SELECT 1 FROM signals WHERE id = %s FOR UPDATE", [first])
        connection.rollback()


def _waits_for_lock(pipeline: Pipeline) -> bool:
    statement = """
        SELECT 1 FROM pg_stat_activity WHERE application_name = 'process-signal' AND wait_event_type = 'Lock'
    """
    with psycopg.connect(pipeline.database_url) as connection:
        return connection.execute(statement).fetchone() is not None
