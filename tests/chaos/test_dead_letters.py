"""The closed loop under faults: no dead-letter topic, a cause that stays, two replays at once, a schema that drifts."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from confluent_kafka.admin import AdminClient

from local.ports import is_free
from signal_pipeline.domain.failures import FailureClass
from tests.chaos.load import ENOUGH, Load
from tests.chaos.symptoms import retries, say, seconds_until_drained
from tests.chaos.triggers import committed
from tests.checker.model import RawRecord
from tests.support.dead_letters import dead_letter, write_dead_letters
from tests.support.http import request_json
from tests.support.metrics import topic_end
from tests.support.pipeline import ROOT, Pipeline
from tests.support.sender import Sender, binary_record, event
from tests.support.waiting import wait_for

pytestmark = pytest.mark.long

_GROUP, _TOPIC, _DEAD = "process-signal", "signal-events", "signal-events-dlq"
_RECOVERY_SECONDS = 180
_REPLAYS = 3  # REPLAY_DELAYS_SECONDS of this pipeline is 1,1,1
_BREAKER_EVENTS = 200  # so many failures open the breaker; fewer may have become dead letters before
_TICK_LETTERS = 500  # one tick takes no more


async def test_kaf_5_dead_letter_topic_deleted(pipeline: Pipeline, sender: Sender) -> None:
    """KAF-5: without a dead-letter topic the partition with poison stops before it, and goes on when it is back."""
    await asyncio.to_thread(seconds_until_drained, pipeline, seconds=_RECOVERY_SECONDS)
    admin = AdminClient({"bootstrap.servers": pipeline.bootstrap})
    async with Load(sender) as load:
        await load.more()
        try:
            admin.delete_topics([_DEAD])[_DEAD].result(30)
            await asyncio.to_thread(sender.produce, _TOPIC, [(RawRecord(key=b"kaf-5", value=b"poison"), None)])
            poison = next(sent.record.position for sent in reversed(sender.sent()) if sent.record)
            assert poison is not None
            before = await asyncio.to_thread(committed, pipeline, _GROUP, _TOPIC)
            await load.more(4 * ENOUGH)
            await asyncio.to_thread(
                wait_for, lambda: _others_moved(pipeline, before, poison.partition), seconds=60, what="other partitions"
            )
            stopped_at = (await asyncio.to_thread(committed, pipeline, _GROUP, _TOPIC))[poison.partition]
        finally:
            await asyncio.to_thread(_product, pipeline, "topics")
        back = time.monotonic()
        await load.more()
    await asyncio.to_thread(seconds_until_drained, pipeline, seconds=_RECOVERY_SECONDS)
    drained = time.monotonic() - back
    report = await asyncio.to_thread(pipeline.check, sender.sent(), seconds=_RECOVERY_SECONDS)
    assert stopped_at <= poison.offset, "the poison was passed without a dead letter"
    assert report.sound, str(report)
    assert report.checked("I9") > 0
    say(f"KAF-5: stopped at {stopped_at} before {poison}; drained {drained:.1f} s after the topic was back")


def _others_moved(pipeline: Pipeline, before: dict[int, int], stopped: int) -> bool:
    now = committed(pipeline, _GROUP, _TOPIC)
    return all(now[partition] > offset for partition, offset in before.items() if partition != stopped)


async def test_dlq_2_cause_persists(pipeline: Pipeline, sender: Sender) -> None:
    """DLQ-2: an event that fails again after each replay ends in quarantine after a bounded number of attempts."""
    stubborn = [_quiet_event(sender.source) for _ in range(5)]
    ids = [each["id"] for each in stubborn]
    dead, quarantined = topic_end(pipeline.settings, _DEAD), topic_end(pipeline.settings, "signal-events-quarantine")
    with _refused_by_the_database(pipeline, sender.source):
        await sender.post_all([stubborn])
        await asyncio.to_thread(
            wait_for,
            lambda: _fates(pipeline, ids) == [("quarantined", _REPLAYS + 1)] * len(ids),
            seconds=_RECOVERY_SECONDS,
            what="quarantine after the first failure and three replays",
        )
        await asyncio.to_thread(seconds_until_drained, pipeline, seconds=_RECOVERY_SECONDS)
    assert topic_end(pipeline.settings, "signal-events-quarantine") - quarantined == len(ids)
    assert topic_end(pipeline.settings, _DEAD) - dead == len(ids) * (_REPLAYS + 1)
    await asyncio.to_thread(_replay_all, pipeline, "XX000")
    await asyncio.to_thread(wait_for, lambda: _stored(pipeline, ids) == len(ids), seconds=60, what="the rows")
    say(f"DLQ-2: {len(ids)} events, {_REPLAYS + 1} dead letters each, then quarantine; stored by an ordered replay")


async def test_dlq_3_two_replays_at_once(pipeline: Pipeline) -> None:
    """DLQ-3: two functions replay the same queue at once: each dead letter is published exactly once."""
    lost = [_quiet_event("chaos-dlq-3") for _ in range(4 * _TICK_LETTERS)]
    ids = [each["id"] for each in lost]
    letters = [dead_letter(binary_record(each), FailureClass.UNEXPECTED) for each in lost]
    await asyncio.to_thread(seconds_until_drained, pipeline, seconds=_RECOVERY_SECONDS)
    before = topic_end(pipeline.settings, _TOPIC)
    with _second_replay(pipeline) as second:
        await asyncio.to_thread(write_dead_letters, pipeline, *letters)
        urls = (pipeline.settings.function_url("replay-dlq"), second)
        shares = await asyncio.gather(*(asyncio.to_thread(_tick_until_stored, pipeline, url, ids) for url in urls))
    await asyncio.to_thread(seconds_until_drained, pipeline, seconds=_RECOVERY_SECONDS)
    assert topic_end(pipeline.settings, _TOPIC) - before == len(ids)
    assert all(shares), f"one of the two had nothing to do: {shares}"
    say(f"DLQ-3: {len(ids)} dead letters, {shares} published by the two, the rest by the schedule; none twice")


async def test_pg_7_schema_drift(pipeline: Pipeline, sender: Sender) -> None:
    """PG-7: when no statement fits the schema any more the breaker opens: few events are dead letters, none is lost."""
    await asyncio.to_thread(seconds_until_drained, pipeline, seconds=_RECOVERY_SECONDS)
    dead = topic_end(pipeline.settings, _DEAD)
    symptom = retries(_GROUP, "unexpected")(pipeline)
    log = pipeline.state / "logs" / "process-signal-trigger.log"
    opened = log.read_text(errors="replace").count("breaker_open")
    async with Load(sender) as load:
        await load.more()
        with _renamed_column(pipeline):
            await load.more(8 * ENOUGH)
            await asyncio.to_thread(
                wait_for,
                lambda: log.read_text(errors="replace").count("breaker_open") > opened,
                seconds=90,
                what="an open breaker",
            )
            await load.more(8 * ENOUGH)
        healed = time.monotonic()
        await load.more()
    await asyncio.to_thread(seconds_until_drained, pipeline, seconds=_RECOVERY_SECONDS)
    drained = time.monotonic() - healed
    drifted = topic_end(pipeline.settings, _DEAD) - dead
    await asyncio.to_thread(_replay_all, pipeline, "42703")
    sent = sender.sent()
    ids = [str(each.version.row_id) for each in sent if each.version]
    await asyncio.to_thread(wait_for, lambda: _stored(pipeline, ids) == len(set(ids)), seconds=60, what="every row")
    report = await asyncio.to_thread(pipeline.check, sent, seconds=30)
    wrong = [each for each in report.findings if "healthy event" not in each.detail]
    assert not wrong, str(report)
    assert drifted <= 2 * _BREAKER_EVENTS  # two groups, each with a breaker
    say(f"PG-7: {symptom.proves()}; {drifted} dead letters of {load.accepted:,}; drained {drained:.1f} s after healing")


def _quiet_event(source: str) -> dict[str, Any]:
    """Return an event that breaks no rule, so that detect-anomaly writes nothing of it."""
    return event(source, type="click", data={"session_id": "sess_12345", "data": "sample_data_50"})


def _fates(pipeline: Pipeline, ids: Sequence[str]) -> list[tuple[str, int]]:
    statement = "SELECT status, attempts FROM dead_letters WHERE event_id = ANY(%s)"
    with psycopg.connect(pipeline.database_url) as connection:
        return connection.execute(statement, [list(ids)]).fetchall()


def _stored(pipeline: Pipeline, ids: Sequence[str]) -> int:
    with psycopg.connect(pipeline.database_url) as connection:
        row = connection.execute("SELECT count(*) FROM signals WHERE id = ANY(%s::uuid[])", [list(ids)]).fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def _refused_by_the_database(pipeline: Pipeline, source: str) -> Iterator[None]:
    """Let every insert of this source fail with an error that no table of ours knows."""
    with psycopg.connect(pipeline.database_url, autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION chaos_refuse() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'chaos' USING ERRCODE = 'XX000'; END $$"
        )
        connection.execute(
            psycopg.sql.SQL(
                "CREATE TRIGGER chaos_refuse BEFORE INSERT ON signals FOR EACH ROW "
                "WHEN (NEW.source = {}) EXECUTE FUNCTION chaos_refuse()"
            ).format(source)
        )
        try:
            yield
        finally:
            connection.execute("DROP FUNCTION chaos_refuse CASCADE")


@contextmanager
def _renamed_column(pipeline: Pipeline) -> Iterator[None]:
    with psycopg.connect(pipeline.database_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE signals RENAME COLUMN payload TO payload_elsewhere")
        try:
            yield
        finally:
            connection.execute("ALTER TABLE signals RENAME COLUMN payload_elsewhere TO payload")


@contextmanager
def _second_replay(pipeline: Pipeline) -> Iterator[str]:
    """Run one more function replay-dlq beside the pipeline's own; gives its address."""
    offset = pipeline.settings.port_offset
    port, page = [port + offset for port in range(8300, 8390) if is_free(port + offset, "127.0.0.1")][:2]
    variables = {"REPLAY_DLQ_PORT": str(port), "REPLAY_DLQ_METRICS_PORT": str(page)}
    process = subprocess.Popen(
        [sys.executable, "-m", "signal_pipeline", "serve", "replay-dlq"],
        cwd=ROOT,
        env={**os.environ, **pipeline.variables, **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: _answers(f"{url}/ready"), seconds=60, what="a second replay-dlq")
        yield url
    finally:
        process.terminate()
        process.wait(40)


def _answers(url: str) -> bool:
    try:
        request_json(url)
    except OSError:
        return False
    return True


def _tick_until_stored(pipeline: Pipeline, url: str, ids: Sequence[str]) -> int:
    """Tick until every event is stored; return how many dead letters these ticks published."""
    published, deadline = 0, time.monotonic() + _RECOVERY_SECONDS
    while _stored(pipeline, ids) < len(ids):
        assert time.monotonic() < deadline, "the replay does not end"
        published += request_json(f"{url}/tick", body={})["replayed"]
    return published


def _replay_all(pipeline: Pipeline, code: str) -> None:
    """Order the replay of every dead letter with this code, as a person does after the repair, and wait for its end."""
    url = pipeline.settings.function_url("replay-dlq")
    password = pipeline.settings.auth_admin_password.get_secret_value()
    login = {"username": "admin", "password": password}
    token = request_json(f"{pipeline.settings.function_url('auth')}/auth/token", body=login)["access_token"]
    plan = request_json(f"{url}/replay", body={"filter": {"code": code}}, token=token)
    if not plan["counts"]:
        return  # the schedule has brought all of them back
    order = {"plan": plan["plan"], "reason": "the cause is repaired"}
    job = request_json(f"{url}/replay", body=order, token=token)["job"]
    wait_for(
        lambda: request_json(f"{url}/jobs/{job}", token=token)["status"] == "completed", seconds=120, what="the job"
    )


def _product(pipeline: Pipeline, *arguments: str) -> str:
    done = pipeline.run("-m", "signal_pipeline", *arguments)
    assert done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
    return done.stdout
