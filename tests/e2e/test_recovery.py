"""The closed loop of dead letters, in the running pipeline."""

import urllib.error
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest

from signal_pipeline.domain.failures import FailureClass
from tests.checker.model import RawRecord
from tests.support.dead_letters import dead_letter, write_dead_letters
from tests.support.metrics import metric, page, topic_end
from tests.support.pipeline import Pipeline
from tests.support.replay import ask_replay, order_replay, replay_token
from tests.support.sender import Sender, binary_record, event
from tests.support.waiting import wait_for

_LOOP_SECONDS = 30  # the schedule ticks every 5 s, and a delay is at most 1 s in this pipeline


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
    write_dead_letters(pipeline, dead_letter(binary_record(lost, key=b"user"), failure_class))
    stored = wait_for(lambda: row(pipeline, "signals", "id", lost["id"]), seconds=_LOOP_SECONDS, what="the row")
    assert stored == ("recovery", lost["data"])
    wait_for(lambda: status(pipeline, lost["id"]) == "replayed", seconds=10, what="the mark")
    assert metric(page(port), "dlq_messages_replayed_total") > before


def test_hopeless_failure_goes_to_quarantine(pipeline: Pipeline) -> None:
    """A record that was rejected is written to quarantine once and never replayed."""
    before = topic_end(pipeline.settings, "signal-events-quarantine")
    rejected = event("recovery")
    letter = dead_letter(binary_record(rejected), FailureClass.REJECTED, "23514")
    write_dead_letters(pipeline, letter, letter)
    wait_for(lambda: status(pipeline, rejected["id"]) == "quarantined", seconds=10, what="the quarantine")
    assert topic_end(pipeline.settings, "signal-events-quarantine") == before + 1
    assert row(pipeline, "signals", "id", rejected["id"]) is None


def test_garbage_is_accounted_for(pipeline: Pipeline) -> None:
    """What is no dead letter at all is recorded by its place and goes to quarantine; the queue is not blocked by it."""
    before = topic_end(pipeline.settings, "signal-events-quarantine")
    write_dead_letters(
        pipeline, RawRecord(key=None, value=None), RawRecord(key=b"\xff", value=b"\x00", headers=(("x", None),))
    )
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
        write_dead_letters(pipeline, *letters)
        assert ask_replay(pipeline, "/stats")["queue_size"] == 7
        assert metric(page(port), "dlq_queue_size") == 7
    wait_for(lambda: metric(page(port), "dlq_queue_size") == 0, seconds=_LOOP_SECONDS, what="an empty queue")
    assert all(row(pipeline, "signals", "id", each["id"]) for each in waiting)


def test_listing_filters_and_pages(pipeline: Pipeline) -> None:
    """Dead letters of one class and code come in pages, each once; without a token there is no list."""
    code = f"test-{uuid.uuid4()}"[:20]
    ids = [event("recovery")["id"] for _ in range(5)]
    write_dead_letters(
        pipeline,
        *(dead_letter(binary_record(event("recovery", id=each)), FailureClass.INVALID, code) for each in ids),
    )
    wait_for(lambda: all(status(pipeline, each) for each in ids), seconds=10, what="the recording")
    listed: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"class": "invalid", "code": code, "limit": "2", **({"cursor": cursor} if cursor else {})}
        found = ask_replay(pipeline, f"/dead-letters?{urlencode(query)}", token=replay_token(pipeline))
        listed += [each["event_id"] for each in found["dead_letters"]]
        cursor = found["cursor"]
    assert sorted(listed) == sorted(ids)
    with pytest.raises(urllib.error.HTTPError, match="401"):
        ask_replay(pipeline, "/dead-letters")


def test_ordered_replay_brings_back_what_was_given_up(pipeline: Pipeline) -> None:
    """After the cause is repaired a person plans the replay of quarantined letters, orders it, and the rows appear."""
    code = f"test-{uuid.uuid4()}"[:20]
    given_up = [event("recovery") for _ in range(3)]
    write_dead_letters(pipeline, *(dead_letter(binary_record(each), FailureClass.REJECTED, code) for each in given_up))
    wait_for(lambda: all(status(pipeline, each["id"]) for each in given_up), seconds=10, what="the recording")
    plan, job = order_replay(pipeline, filter={"code": code})
    assert plan["counts"] == {"rejected": 3}
    token = replay_token(pipeline)
    wait_for(
        lambda: ask_replay(pipeline, f"/jobs/{job}", token=token)["status"] == "completed",
        seconds=_LOOP_SECONDS,
        what="the end of the job",
    )
    wait_for(lambda: all(row(pipeline, "signals", "id", each["id"]) for each in given_up), seconds=10, what="the rows")


async def test_replay_waits_for_live_traffic(pipeline: Pipeline, sender: Sender) -> None:
    """While more live events wait than replay may disturb, a due dead letter stays; it goes once they are through."""
    assert pipeline.settings.replay_max_live_lag == 1000
    waiting = [event(sender.source) for _ in range(1001)]
    lost = event("recovery")
    with _stopped(pipeline, "process-signal-trigger"):
        sender.produce("signal-events", [(binary_record(each), each) for each in waiting])
        write_dead_letters(pipeline, dead_letter(binary_record(lost), FailureClass.DEPENDENCY))
        wait_for(lambda: _is_due(pipeline, lost["id"]), seconds=10, what="the moment at which it is due")
        done = ask_replay(pipeline, "/tick", body={})
        assert (done["yielded"], done["replayed"]) == (True, 0)
        assert status(pipeline, lost["id"]) == "scheduled"
    wait_for(lambda: row(pipeline, "signals", "id", lost["id"]), seconds=_LOOP_SECONDS, what="the row")


def _is_due(pipeline: Pipeline, event_id: str) -> bool:
    statement = "SELECT 1 FROM dead_letters WHERE event_id = %s AND next_attempt_at <= now()"
    with psycopg.connect(pipeline.database_url) as connection:
        return connection.execute(statement, [event_id]).fetchone() is not None


@contextmanager
def _stopped(pipeline: Pipeline, service: str) -> Iterator[None]:
    pipeline.local("stop", service)
    try:
        yield
    finally:
        pipeline.local("start", service)
