"""The closed loop of dead letters against PostgreSQL and a broker."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg

from signal_pipeline.domain.dead_letters import (
    ORIGIN_HEADER,
    Disposition,
    metadata_headers,
)
from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.roles.recovery import Recovery
from tests.checker.kafka import read_topic
from tests.checker.model import RawRecord
from tests.integration.roles.letters import failure, letter


def rows(database_url: str) -> list[tuple[Any, ...]]:
    """Return status and attempts of all recorded dead letters."""
    with psycopg.connect(database_url) as connection:
        return connection.execute("SELECT status, attempts FROM dead_letters ORDER BY first_failed_at").fetchall()


def published(broker: str, topic: str, event_id: UUID) -> list[RawRecord]:
    """Return the records of an event on a topic."""
    wanted = ("ce_id", str(event_id).encode())
    return [record for record in read_topic(broker, topic) if wanted in record.headers]


async def test_due_letter_is_published_again(recovery: Recovery, database_url: str, broker: str) -> None:
    """The same key, value and headers go to the original topic, with the id under which the next failure is counted."""
    event_id = uuid4()
    dead = letter(event_id, failure(event_id, 1))
    await recovery.record([dead])
    assert (await recovery.tick(10)).replayed == 1
    (record,) = published(broker, "signal-events", event_id)
    assert (record.key, record.value) == (dead.key, dead.value)
    assert record.headers == (*dead.headers, (ORIGIN_HEADER, str(dead.metadata.id).encode()))
    assert rows(database_url) == [("replayed", 1)]


async def test_failure_is_counted_once(recovery: Recovery, database_url: str) -> None:
    """The same dead letter delivered three times is one row with one attempt."""
    event_id = uuid4()
    for _ in range(3):
        await recovery.record([letter(event_id, failure(event_id, 1))])
    assert rows(database_url) == [("scheduled", 1)]


async def test_attempts_end_in_quarantine(recovery: Recovery, database_url: str, broker: str) -> None:
    """With two delays the third failure is the last; it is in quarantine once, although it was delivered twice."""
    event_id = uuid4()
    first = letter(event_id, failure(event_id, 1))
    await recovery.record([first])
    for offset in (2, 3):
        assert (await recovery.tick(10)).replayed == 1
        again = letter(event_id, failure(event_id, offset), origin=first.metadata.id)
        await recovery.record([again])
        await recovery.record([again])
    assert rows(database_url) == [("quarantined", 3)]
    assert (await recovery.tick(10)).taken == 0
    (record,) = published(broker, "signal-events-quarantine", event_id)
    assert (record.key, record.value) == (first.key, first.value)


async def test_forged_origin_is_not_believed(recovery: Recovery, database_url: str) -> None:
    """A claim to another record's dead letter counts nothing there: the bytes differ."""
    event_id, thief = uuid4(), uuid4()
    dead = letter(event_id, failure(event_id, 1))
    await recovery.record([dead])
    forged = replace(letter(thief, failure(thief, 2), origin=dead.metadata.id), value=b"other")
    await recovery.record([forged])
    assert rows(database_url) == [("scheduled", 1), ("scheduled", 1)]


async def test_letter_whose_row_exists_is_resolved(recovery: Recovery, database_url: str, broker: str) -> None:
    """What process-signal failed on is not published again once its row is there."""
    event_id = uuid4()
    await recovery.record([letter(event_id, failure(event_id, 1))])
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("INSERT INTO signals (id, source, event_ts) VALUES (%s, 'test', now())", [event_id])
    assert (await recovery.tick(10)).resolved == 1
    assert rows(database_url) == [("resolved", 1)]
    assert published(broker, "signal-events", event_id) == []


async def test_letter_of_a_newer_version_is_replayed(recovery: Recovery, database_url: str, broker: str) -> None:
    """A row of an earlier time, or of another source, is not the effect of what was given up."""
    event_id, now = uuid4(), datetime.now(UTC)
    dead = letter(event_id, failure(event_id, 1))
    await recovery.record([replace(dead, headers=(*dead.headers, ("ce_time", now.isoformat().encode())))])
    stranger = uuid4()
    await recovery.record([letter(stranger, failure(stranger, 2))])
    with psycopg.connect(database_url, autocommit=True) as connection:
        insert = "INSERT INTO signals (id, source, event_ts) VALUES (%s, %s, %s)"
        connection.execute(insert, [event_id, "test", now - timedelta(seconds=1)])
        connection.execute(insert, [stranger, "elsewhere", now])
    result = await recovery.tick(10)
    assert (result.replayed, result.resolved) == (2, 0)
    assert len(published(broker, "signal-events", event_id)) == 1


async def test_poison_goes_to_quarantine_at_once(recovery: Recovery, database_url: str, broker: str) -> None:
    """A class that no repetition can help is never scheduled, and quarantine has it whole, metadata included."""
    event_id = uuid4()
    dead = letter(event_id, failure(event_id, 1, FailureClass.INVALID))
    await recovery.record([dead, dead])
    assert dead.metadata.disposition is Disposition.POISON
    assert rows(database_url) == [("quarantined", 1)]
    (record,) = published(broker, "signal-events-quarantine", event_id)
    assert record.headers == (*dead.headers, *metadata_headers(dead.metadata))


async def test_a_letter_that_no_topic_takes_is_in_the_table_alone(
    recovery: Recovery, database_url: str, broker: str
) -> None:
    """Garbage that fills the dead-letter topic's limit cannot take our metadata on top: it stops nobody behind it."""
    event_id = uuid4()
    poison = letter(event_id, failure(event_id, 1, FailureClass.INVALID))
    large = replace(letter(uuid4(), failure(uuid4(), 2, FailureClass.INVALID)), value=bytes(2 * 1024 * 1024 - 100))
    await recovery.record([large, poison])
    assert rows(database_url) == [("quarantined", 1), ("quarantined", 1)]
    assert len(published(broker, "signal-events-quarantine", event_id)) == 1
