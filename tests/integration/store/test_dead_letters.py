"""The table of dead letters on a real PostgreSQL."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.store import dead_letters as store
from signal_pipeline.store.pool import Pool
from tests.support.dead_letters import failure_metadata

NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
WAITING = "SELECT count(*) FROM dead_letters WHERE status = 'scheduled'"


def letter(offset: int = 0, *, due: float | None = 0, **changes: Any) -> store.DeadLetterRow:
    """Make a failure of the record at this offset, due after so many seconds; None is quarantine."""
    metadata = failure_metadata(
        partition=3, offset=offset, code="XX000", message="it broke", first_failed_at=NOW, last_failed_at=NOW
    )
    row = store.DeadLetterRow(
        metadata=metadata,
        origin=None,
        key=b"user_1",
        value=b"value %d" % offset,
        headers=(("ce_id", b"1"), ("twice", b"a"), ("twice", None), ("binary", bytes(range(256)))),
        event_id="1",
        event_source="web",
        signal_id=uuid4(),
        next_attempt_at=None if due is None else NOW + timedelta(seconds=due),
    )
    return replace(row, **changes)


def again(row: store.DeadLetterRow, origin: UUID, offset: int, **changes: Any) -> store.DeadLetterRow:
    """Make the failure of the record that replay published of this one: the same bytes at another offset."""
    return replace(row, metadata=replace(row.metadata, offset=offset), origin=origin, **changes)


async def test_a_dead_letter_comes_back_byte_for_byte(pool: Pool) -> None:
    """Key, value and headers, with repetition, null and every byte, are taken as they were recorded."""
    row = letter()
    assert await store.record_dead_letters(pool, [row]) == store.Recorded(inserted=1, counted=0)
    (due,) = await store.take_due(pool, 10, NOW)
    assert (due.dlq_id, due.topic, due.key, due.value, due.headers) == (
        row.metadata.id,
        "signal-events",
        row.key,
        row.value,
        row.headers,
    )
    assert (due.signal_id, due.attempts, due.failure_class) == (row.signal_id, 1, FailureClass.UNEXPECTED)


async def test_garbage_is_recorded(pool: Pool) -> None:
    """Bytes that are no text, forged metadata and identities with control characters can be recorded."""
    row = letter(
        key=None, value=b"\x00\xff", headers=(("na\x00me", b"\xff"),), event_id="a\x00b", event_source="\ud800"
    )
    metadata = replace(row.metadata, message="m" * 9000, code="c\x00", timestamp_ms=-1, build="\x00")
    forged = replace(row, metadata=metadata, signal_id=None)
    await store.record_dead_letters(pool, [forged])
    (due,) = await store.take_due(pool, 10, NOW)
    assert (due.key, due.value, due.headers) == (forged.key, forged.value, forged.headers)


async def test_recording_a_failure_again_changes_nothing(pool: Pool, fetch: Any) -> None:
    """The same failure in one batch twice and in a second batch is one row with one attempt."""
    row = letter()
    await store.record_dead_letters(pool, [row, row])
    before = fetch("SELECT xmin, * FROM dead_letters")
    assert await store.record_dead_letters(pool, [row]) == store.Recorded(inserted=0, counted=0)
    assert fetch("SELECT xmin, * FROM dead_letters") == before


async def test_attempts_count_across_replays(pool: Pool, fetch: Any) -> None:
    """A replayed record that fails again, at a new offset, is the next attempt of its row; told once or twice."""
    first = letter()
    root = first.metadata.id
    await store.record_dead_letters(pool, [first])
    assert await store.mark_replayed(pool, await store.take_due(pool, 10, NOW)) == 1
    second = again(first, root, 100, next_attempt_at=NOW + timedelta(minutes=10))
    known = store.KnownFailures(attempts=1, ids=frozenset({root}))
    assert await store.recorded_failures(pool, [(root, second.sha256)]) == {root: known}
    assert await store.record_dead_letters(pool, [second]) == store.Recorded(inserted=0, counted=1)
    assert await store.record_dead_letters(pool, [second]) == store.Recorded(inserted=0, counted=0)
    rows = fetch("SELECT dlq_id, attempts, status, original_offset, next_attempt_at FROM dead_letters")
    assert rows == [(root, 2, "scheduled", 0, second.next_attempt_at)]


async def test_a_forged_origin_is_not_believed(pool: Pool, fetch: Any) -> None:
    """A record that names a dead letter with other bytes, or one that does not exist, is a dead letter of its own."""
    first = letter()
    await store.record_dead_letters(pool, [first])
    forged = [again(letter(7), first.metadata.id, 101), again(letter(8), uuid4(), 102)]
    claims = [(row.origin, row.sha256) for row in forged if row.origin]
    assert await store.recorded_failures(pool, claims) == {}
    assert await store.record_dead_letters(pool, forged) == store.Recorded(inserted=2, counted=0)
    assert fetch("SELECT attempts FROM dead_letters") == [(1,)] * 3


async def test_due_rows_are_taken_once(pool: Pool) -> None:
    """Takers at once share the due rows without overlap; what is not due yet, or in quarantine, stays."""
    rows = [letter(offset) for offset in range(40)]
    await store.record_dead_letters(pool, [*rows, letter(50, due=60), letter(51, due=None)])
    taken = await asyncio.gather(*(store.take_due(pool, 10, NOW) for _ in range(6)))
    ids = [due.dlq_id for part in taken for due in part]
    assert sorted(ids) == sorted(row.metadata.id for row in rows)


async def test_a_lease_runs_out(pool: Pool) -> None:
    """A row taken by somebody who died is due again after its lease, with its attempts unchanged."""
    await store.record_dead_letters(pool, [letter()])
    lease = timedelta(seconds=30)
    (first,) = await store.take_due(pool, 10, NOW, lease=lease)
    assert await store.take_due(pool, 10, NOW + lease / 2, lease=lease) == []
    assert await store.take_due(pool, 10, NOW + lease, lease=lease) == [first]


@pytest.mark.parametrize(
    ("mark", "status"),
    [(store.mark_replayed, "replayed"), (store.mark_resolved, "resolved"), (store.mark_quarantined, "quarantined")],
)
async def test_a_settled_row_is_never_due(pool: Pool, fetch: Any, mark: Any, status: str) -> None:
    """Marking moves scheduled rows only, takes them off the unresolved count, and counts what it moved."""
    rows = [letter(0), letter(1)]
    await store.record_dead_letters(pool, rows)
    assert fetch(WAITING) == [(2,)]
    (taken,) = [due for due in await store.take_due(pool, 10, NOW) if due.dlq_id == rows[0].metadata.id]
    assert await mark(pool, [taken]) == 1
    assert await mark(pool, [taken]) == 0
    assert fetch(WAITING) == [(1,)]
    assert fetch("SELECT status FROM dead_letters ORDER BY original_offset") == [(status,), ("scheduled",)]
    later = NOW + timedelta(hours=1)
    assert [due.dlq_id for due in await store.take_due(pool, 10, later)] == [rows[1].metadata.id]


async def test_a_failure_between_the_replay_and_its_mark_is_not_lost(pool: Pool, fetch: Any) -> None:
    """A record that fails again before it is marked as replayed is due again: the late mark changes nothing."""
    first = letter()
    await store.record_dead_letters(pool, [first])
    taken = await store.take_due(pool, 10, NOW)
    second = again(first, first.metadata.id, 100, next_attempt_at=NOW + timedelta(minutes=10))
    await store.record_dead_letters(pool, [second])
    for mark in (store.mark_replayed, store.mark_resolved, store.mark_quarantined):
        assert await mark(pool, taken) == 0
    assert fetch("SELECT status, attempts, next_attempt_at FROM dead_letters") == [
        ("scheduled", 2, second.next_attempt_at)
    ]


def test_the_digest_tells_records_apart() -> None:
    """Key and value are not merely concatenated, and no key is not an empty key."""
    records = [(b"ab", b"c"), (b"a", b"bc"), (None, b"abc"), (b"", b"abc"), (None, None)]
    assert len({store.digest(key, value) for key, value in records}) == len(records)
