"""replay-dlq, confirm-outbox and emit die at their worst moments: nothing is lost, and a repetition changes nothing."""

import asyncio
import urllib.request
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from prometheus_client import CollectorRegistry

from signal_pipeline.broker.producer import KafkaProducer
from signal_pipeline.domain.dead_letters import metadata_headers
from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.domain.replay import ReplaySchedule
from signal_pipeline.domain.signals import Signal, signal_of
from signal_pipeline.events.kafka import OutgoingRecord, instant_text
from signal_pipeline.observability.metrics import ReplayMetrics
from signal_pipeline.roles.recovery import Recovery
from signal_pipeline.store.pool import Pool
from signal_pipeline.store.replay_jobs import JobOrder, create_job
from signal_pipeline.topology import ANOMALY_EVENTS, DEAD_LETTERS, QUARANTINE, SIGNAL_EVENTS
from tests.chaos.moments import RECORD_MOMENTS, TICK_MOMENTS, RecordMoment, TickMoment, kafka, second, sql
from tests.chaos.stage import Stage, reached
from tests.chaos.stage_parts import until
from tests.chaos.test_moments import EVENTS, healthy, recovered
from tests.checker.kafka import read_topic
from tests.integration.commands.conftest import event as cloud_event
from tests.integration.roles.letters import failure, letter
from tests.support.proxy_wires import Side

_JOB = 200
_JOB_RATE = 500  # a second, in steps of a fifth of a second: two steps


async def record(stage: Stage, count: int) -> list[UUID]:
    """Record dead letters of events that were never stored, all due; return the ids of the events."""
    pool, producer = Pool(stage.database_url, application_name="test"), KafkaProducer(stage.settings)
    schedule = ReplaySchedule(delays_seconds=(0, 0), topics=frozenset({SIGNAL_EVENTS.name}))
    ids = [uuid4() for _ in range(count)]
    try:
        recovery = Recovery(pool, producer, ReplayMetrics(CollectorRegistry()), schedule)
        await recovery.record([letter(each, failure(each, n)) for n, each in enumerate(ids)])
    finally:
        await producer.close()
        await pool.close()
    return ids


def copies(stage: Stage) -> int:
    """Return how many records were published on signal-events."""
    return len(read_topic(stage.settings.kafka_bootstrap_servers, SIGNAL_EVENTS.name))


async def tick(stage: Stage) -> None:
    """Ask replay-dlq for one tick, as its schedule does."""
    url = f"http://127.0.0.1:{stage.settings.port('replay-dlq')}/tick"
    request = urllib.request.Request(url, data=b"{}", headers={"Content-Type": "application/json"})
    with await asyncio.to_thread(urllib.request.urlopen, request, timeout=60) as answer:
        assert answer.status == 200


async def stored(stage: Stage, ids: Sequence[UUID]) -> None:
    """Let process-signal read what was published; every event is one row, and there is no other."""
    await stage.function("process-signal")
    stage.trigger("process-signal")
    await stage.drained("process-signal")
    assert {row[0] for row in stage.world.run("SELECT id FROM signals")} == set(ids)


def lease_is_over(stage: Stage) -> None:
    """Make the dead letters due that a dead taker has leased, as time would in two minutes."""
    stage.world.run("UPDATE dead_letters SET next_attempt_at = now() - interval '1 s' WHERE status = 'scheduled'")


@pytest.mark.parametrize("moment", TICK_MOMENTS, ids=lambda moment: moment.name)
async def test_replay_dies_in_a_tick(stage: Stage, moment: TickMoment) -> None:
    """A dead letter is marked only behind its acknowledgement: what was not marked is published again, harmlessly."""
    ids = await record(stage, EVENTS)
    database, broker = await stage.database_link(), await stage.broker_link()
    victim = await stage.function("replay-dlq", database=database, broker=broker)
    acknowledged = broker.hold(kafka(Side.SERVER, "Produce"))
    hold = acknowledged
    ticking = asyncio.create_task(tick(stage))
    if moment.unpublished:
        hold = broker.hold(kafka(Side.CLIENT, "Produce"))
    else:
        await reached(acknowledged.reached, "the records are published")
        hold = database.hold(moment.stops)
        acknowledged.release()
    await reached(hold.reached, moment.name)
    assert copies(stage) == (0 if moment.unpublished else EVENTS)
    victim.kill()
    await asyncio.gather(database.cut(), broker.cut())
    assert isinstance((await asyncio.gather(ticking, return_exceptions=True))[0], OSError)
    assert stage.one("SELECT count(*) FROM dead_letters WHERE status = 'scheduled'") == moment.waiting
    lease_is_over(stage)

    async def recovery() -> None:
        await stage.function("replay-dlq")
        await tick(stage)

    await recovered(moment.name, recovery)
    assert stage.world.run("SELECT status, attempts FROM dead_letters") == [("replayed", 1)] * EVENTS
    assert copies(stage) == EVENTS * moment.published
    await stored(stage, ids)


async def test_replay_dies_in_the_middle_of_a_job(stage: Stage) -> None:
    """The next process goes on behind the steps that were committed; the step that died is published once more."""
    ids = await record(stage, _JOB)
    stage.world.run("UPDATE dead_letters SET next_attempt_at = now() + interval '1 h'")
    pool = Pool(stage.database_url, application_name="test")
    order = JobOrder(
        idempotency_key=None, plan="p", filter={}, requested_by="a test", reason=None, rate=_JOB_RATE, total=_JOB
    )
    await create_job(pool, order)
    await pool.close()
    database = await stage.database_link()
    victim = await stage.function("replay-dlq", database=database)
    hold = database.hold(second(sql(Side.CLIENT, b"UPDATE replay_jobs")))
    ticking = asyncio.create_task(tick(stage))
    await reached(hold.reached, "the second step is published and not noted")
    victim.kill()
    await database.cut()
    await asyncio.gather(ticking, return_exceptions=True)
    ((status, noted),) = stage.world.run("SELECT status, replayed FROM replay_jobs")
    unnoted = copies(stage) - noted
    assert (status, noted > 0, unnoted > 0) == ("running", True, True)

    async def recovery() -> None:
        await stage.function("replay-dlq")
        await tick(stage)

    await recovered("in the middle of a job", recovery)
    assert stage.world.run("SELECT status, replayed, skipped FROM replay_jobs") == [("completed", _JOB, 0)]
    assert stage.world.run("SELECT DISTINCT status FROM dead_letters") == [("replayed",)]
    assert copies(stage) == _JOB + unnoted
    await stored(stage, ids)


@pytest.mark.parametrize("moment", RECORD_MOMENTS, ids=lambda moment: moment.name)
async def test_replay_dies_while_it_records(stage: Stage, moment: RecordMoment) -> None:
    """A dead letter that comes again is one row with one attempt; in quarantine only a death in between doubles it."""
    poison = [letter(each, failure(each, n, FailureClass.INVALID)) for n, each in enumerate(uuid4() for _ in range(5))]
    headers = [(*one.headers, *metadata_headers(one.metadata)) for one in poison]
    await stage.world.produce(
        [
            OutgoingRecord(topic=DEAD_LETTERS.name, key=one.key, value=one.value, headers=each)
            for one, each in zip(poison, headers, strict=True)
        ]
    )
    database = await stage.database_link()
    victim = await stage.function("replay-dlq", database=database)
    hold = database.hold(moment.stops)
    stage.trigger("replay-dlq")
    await reached(hold.reached, moment.name)
    victim.kill()
    await database.cut()
    assert stage.one("SELECT count(*) FROM dead_letters") == moment.rows

    async def recovery() -> None:
        await stage.function("replay-dlq")
        await stage.drained("replay-dlq", DEAD_LETTERS.name)

    await recovered(moment.name, recovery)
    assert stage.world.run("SELECT status, attempts FROM dead_letters") == [("quarantined", 1)] * len(poison)
    quarantined = read_topic(stage.settings.kafka_bootstrap_servers, QUARANTINE.name)
    assert len(quarantined) == len(poison) * moment.quarantined
    assert len({dict(one.headers)["ce_dlqid"] for one in quarantined}) == len(poison)


async def test_confirm_outbox_dies_after_commit_before_the_reply(stage: Stage) -> None:
    """The stamps are there, and the repetition leaves their time as it is."""
    signals = [signal_of(cloud_event(10 * number), accepted_at=datetime.now(UTC)) for number in range(EVENTS)]
    await stage.world.store([one for one in signals if isinstance(one, Signal)])
    now = instant_text(datetime.now(UTC)).encode()
    ids = [str(row[0]).encode() for row in stage.world.run("SELECT id FROM outbox_events")]
    assert len(ids) == EVENTS
    common = (("ce_specversion", b"1.0"), ("ce_type", b"anomaly_detected"), ("ce_source", b"x"), ("ce_time", now))
    await stage.world.produce(
        [OutgoingRecord(topic=ANOMALY_EVENTS.name, key=b"k", value=b"{}", headers=(*common, ("ce_id", e))) for e in ids]
    )
    database = await stage.database_link()
    victim = await stage.function("confirm-outbox", database=database)
    hold = database.hold(sql(Side.SERVER, b"UPDATE outbox_events"))
    stage.trigger("confirm-outbox")
    await reached(hold.reached, "the stamps are committed")
    victim.kill()
    await database.cut()
    stamped = "SELECT id, processed_at FROM outbox_events WHERE processed_at IS NOT NULL ORDER BY id"
    stamps = stage.world.run(stamped)
    assert len(stamps) == EVENTS

    async def recovery() -> None:
        await stage.function("confirm-outbox")
        await stage.drained("confirm-outbox", ANOMALY_EVENTS.name)

    await recovered("confirm-outbox-after-commit-before-the-reply", recovery)
    assert stage.trigger_counter("confirm-outbox", "trigger_retries_total", failure_class="dependency") >= EVENTS
    assert stage.function_counter("confirm-outbox", "outbox_confirmed_total") == 0
    assert stage.world.run(stamped) == stamps


@pytest.mark.parametrize(("side", "written"), [(Side.CLIENT, 0), (Side.SERVER, EVENTS)], ids=["before", "after"])
async def test_emit_dies_around_the_acknowledgement(stage: Stage, side: Side, written: int) -> None:
    """The client's connection breaks, so it knows nothing and sends again: each event is one row."""
    broker = await stage.broker_link()
    victim = await stage.function("emit", broker=broker)
    # One user is one partition: the client keeps no more than five requests without an answer.
    carried: list[dict[str, Any]] = [{**one, "subject": "user_1"} for one in healthy(stage, anomalous=False)]
    hold = broker.hold(kafka(side, "Produce"))
    sending = asyncio.create_task(stage.sender.post_batch(carried))
    await reached(hold.reached, "the records are on their way, or written")
    # In one request or in several, of which the first has its answer: none gets through to emit.
    await until(lambda: copies(stage) == written, what="the broker has all records, or none")
    victim.kill()
    await broker.cut()
    assert not await sending
    await stage.function("emit")
    assert await stage.sender.post_batch(carried)
    assert copies(stage) == written + EVENTS
    await stored(stage, [UUID(one["id"]) for one in carried])
    report = stage.report(stage.sender.sent())
    assert report.sound, str(report)
    assert report.checked("I1") == EVENTS
