"""The closed loop of dead letters, in the running pipeline."""

import urllib.error
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest
from confluent_kafka import Producer

from signal_pipeline.domain.dead_letters import DeadLetterMetadata, disposition_of, metadata_headers
from signal_pipeline.domain.failures import FailureClass
from tests.checker.model import RawRecord
from tests.support.http import request_json
from tests.support.metrics import metric, page, topic_end
from tests.support.pipeline import Pipeline
from tests.support.sender import binary_record, event
from tests.support.waiting import wait_for

_LOOP_SECONDS = 30  # the schedule ticks every 5 s, and a delay is at most 1 s in this pipeline


def dead_letter(record: RawRecord, failure_class: FailureClass, code: str = "500") -> RawRecord:
    """Return the dead letter that the trigger of process-signal would write of a record."""
    now = datetime.now(UTC)
    metadata = DeadLetterMetadata(
        topic="signal-events",
        partition=0,
        offset=uuid.uuid4().int % 2**62,  # a place that no other dead letter of this pipeline has
        timestamp_ms=int(now.timestamp() * 1000),
        failure_class=failure_class,
        code=code,
        message="made by a test",
        attempts=5,
        first_failed_at=now,
        last_failed_at=now,
        group="process-signal",
        function="process-signal",
        build="test",
        disposition=disposition_of(failure_class),
    )
    return RawRecord(key=record.key, value=record.value, headers=(*record.headers, *metadata_headers(metadata)))


def write(pipeline: Pipeline, *letters: RawRecord) -> None:
    """Write records to the dead-letter topic."""
    producer = Producer({"bootstrap.servers": pipeline.bootstrap})
    for letter in letters:
        producer.produce("signal-events-dlq", letter.value, letter.key, headers=list(letter.headers))
    assert producer.flush(10) == 0


def row(pipeline: Pipeline, table: str, column: str, value: str) -> tuple[Any, ...] | None:
    """Return the columns that the tests look at of one row."""
    wanted = {"dead_letters": "status, attempts", "signals": "source, payload"}[table]
    with psycopg.connect(pipeline.database_url) as connection:
        statement = f"SELECT {wanted} FROM {table} WHERE {column} = %s"  # noqa: S608  names of this file
        return connection.execute(statement, [value]).fetchone()


def status(pipeline: Pipeline, event_id: str) -> str | None:
    """Return what became of the dead letter of an event; None when it is not recorded."""
    found = row(pipeline, "dead_letters", "event_id", event_id)
    return None if found is None else str(found[0])


@pytest.mark.parametrize("failure_class", [FailureClass.UNEXPECTED, FailureClass.DEPENDENCY])
def test_temporary_failure_recovers_by_itself(pipeline: Pipeline, failure_class: FailureClass) -> None:
    """A healthy event that failed for a passing reason is published again and stored, without anyone's doing."""
    port = pipeline.settings.metrics_port("replay-dlq")
    before = metric(page(port), "dlq_messages_replayed_total")
    lost = event("recovery")
    write(pipeline, dead_letter(binary_record(lost, key=b"user"), failure_class))
    stored = wait_for(lambda: row(pipeline, "signals", "id", lost["id"]), seconds=_LOOP_SECONDS, what="the row")
    assert stored == ("recovery", lost["data"])
    wait_for(lambda: status(pipeline, lost["id"]) == "replayed", seconds=10, what="the mark")
    assert metric(page(port), "dlq_messages_replayed_total") > before


def test_hopeless_failure_goes_to_quarantine(pipeline: Pipeline) -> None:
    """A record that was rejected is written to quarantine once and never replayed."""
    before = topic_end(pipeline.settings, "signal-events-quarantine")
    rejected = event("recovery")
    letter = dead_letter(binary_record(rejected), FailureClass.REJECTED, "23514")
    write(pipeline, letter, letter)
    wait_for(lambda: status(pipeline, rejected["id"]) == "quarantined", seconds=10, what="the quarantine")
    assert topic_end(pipeline.settings, "signal-events-quarantine") == before + 1
    assert row(pipeline, "signals", "id", rejected["id"]) is None


def test_garbage_is_accounted_for(pipeline: Pipeline) -> None:
    """What is no dead letter at all is recorded by its place and goes to quarantine; the queue is not blocked by it."""
    before = topic_end(pipeline.settings, "signal-events-quarantine")
    write(pipeline, RawRecord(key=None, value=None), RawRecord(key=b"\xff", value=b"\x00", headers=(("x", None),)))
    wait_for(
        lambda: topic_end(pipeline.settings, "signal-events-quarantine") == before + 2, seconds=10, what="quarantine"
    )


def test_queue_size_is_the_real_depth(pipeline: Pipeline) -> None:
    """With the trigger stopped unread dead letters are counted; when it runs again the size returns to what it was."""
    port = pipeline.settings.metrics_port("replay-dlq")
    wait_for(lambda: metric(page(port), "dlq_queue_size") == 0, seconds=_LOOP_SECONDS, what="an empty queue")
    waiting = [event("recovery") for _ in range(7)]
    with _stopped(pipeline, "replay-dlq-trigger"):
        letters = [dead_letter(binary_record(each), FailureClass.UNEXPECTED) for each in waiting]
        write(pipeline, *letters)
        assert _get(pipeline, "/stats")["queue_size"] == 7
        assert metric(page(port), "dlq_queue_size") == 7
    wait_for(lambda: metric(page(port), "dlq_queue_size") == 0, seconds=_LOOP_SECONDS, what="an empty queue")
    assert all(row(pipeline, "signals", "id", each["id"]) for each in waiting)


def test_listing_filters_and_pages(pipeline: Pipeline) -> None:
    """Dead letters of one class and code come in pages, each once; without a token there is no list."""
    code = f"test-{uuid.uuid4()}"[:20]
    ids = [event("recovery")["id"] for _ in range(5)]
    write(
        pipeline,
        *(dead_letter(binary_record(event("recovery", id=each)), FailureClass.INVALID, code) for each in ids),
    )
    wait_for(lambda: all(status(pipeline, each) for each in ids), seconds=10, what="the recording")
    listed: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"class": "invalid", "code": code, "limit": "2", **({"cursor": cursor} if cursor else {})}
        found = _get(pipeline, f"/dead-letters?{urlencode(query)}", token=_token(pipeline))
        listed += [each["event_id"] for each in found["dead_letters"]]
        cursor = found["cursor"]
    assert sorted(listed) == sorted(ids)
    with pytest.raises(urllib.error.HTTPError, match="401"):
        _get(pipeline, "/dead-letters")


def test_ordered_replay_brings_back_what_was_given_up(pipeline: Pipeline) -> None:
    """After the cause is repaired a person plans the replay of quarantined letters, orders it, and the rows appear."""
    code = f"test-{uuid.uuid4()}"[:20]
    given_up = [event("recovery") for _ in range(3)]
    write(pipeline, *(dead_letter(binary_record(each), FailureClass.REJECTED, code) for each in given_up))
    wait_for(lambda: all(status(pipeline, each["id"]) for each in given_up), seconds=10, what="the recording")
    token, url = _token(pipeline), pipeline.settings.function_url("replay-dlq")
    plan = request_json(f"{url}/replay", body={"filter": {"code": code}}, token=token)
    assert plan["counts"] == {"rejected": 3}
    job = request_json(f"{url}/replay", body={"plan": plan["plan"], "reason": "repaired"}, token=token)["job"]
    wait_for(
        lambda: _get(pipeline, f"/jobs/{job}", token=token)["status"] == "completed",
        seconds=_LOOP_SECONDS,
        what="the end of the job",
    )
    wait_for(lambda: all(row(pipeline, "signals", "id", each["id"]) for each in given_up), seconds=10, what="the rows")


@contextmanager
def _stopped(pipeline: Pipeline, service: str) -> Iterator[None]:
    pipeline.local("stop", service)
    try:
        yield
    finally:
        pipeline.local("start", service)


def _token(pipeline: Pipeline) -> str:
    password = pipeline.settings.auth_admin_password.get_secret_value()
    url = f"{pipeline.settings.function_url('auth')}/auth/token"
    return str(request_json(url, body={"username": "admin", "password": password})["access_token"])


def _get(pipeline: Pipeline, path: str, *, token: str | None = None) -> Any:
    return request_json(f"{pipeline.settings.function_url('replay-dlq')}{path}", token=token)
