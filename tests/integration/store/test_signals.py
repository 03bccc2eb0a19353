"""Storing signals on a real PostgreSQL."""

import asyncio
import json
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid1, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import AsyncConnection

from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.store.pool import Pool
from signal_pipeline.store.signals import SignalVersion, signals_exist, store_signals
from signal_pipeline.store.upsert import Outcome

BATCH = 300


async def test_a_new_batch_is_inserted_whole(pool: Pool, make_signal: Any, fetch: Any) -> None:
    """Every signal of a batch of new ids is a row with its values."""
    batch = [make_signal(extensions_json='{"a": 1}' if number % 2 else None) for number in range(BATCH)]
    stored = await store_signals(pool, batch)
    assert stored.count(Outcome.INSERTED) == BATCH
    assert not stored.failures
    rows = fetch("SELECT id, user_id, source, type, event_ts, payload, extensions FROM signals")
    assert {row[0]: row[1:] for row in rows} == {
        signal.id: (
            signal.user_id,
            signal.source,
            signal.type,
            signal.event_ts,
            json.loads(signal.payload_json or "null"),
            json.loads(signal.extensions_json or "null"),
        )
        for signal in batch
    }


async def test_a_batch_of_new_signals_is_one_statement(
    pool: Pool, make_signal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch of new signals costs one statement, whatever its size."""
    statements: list[Any] = []
    execute = AsyncConnection.execute

    async def counted(connection: Any, statement: Any, *arguments: Any, **options: Any) -> Any:
        if statement:  # the pool checks a connection by an empty one
            statements.append(statement)
        return await execute(connection, statement, *arguments, **options)

    monkeypatch.setattr(AsyncConnection, "execute", counted)
    await store_signals(pool, [make_signal() for _ in range(BATCH)])
    assert len(statements) == 1


async def test_exact_redelivery_changes_nothing(pool: Pool, make_signal: Any, fetch: Any) -> None:
    """A batch stored twice leaves the very same row versions behind."""
    batch = [make_signal() for _ in range(10)]
    await store_signals(pool, batch)
    before = fetch("SELECT id, xmin, ctid, ingest_ts FROM signals ORDER BY id")
    again = await store_signals(pool, batch)
    assert set(again.outcomes) == {Outcome.UNCHANGED}
    assert fetch("SELECT id, xmin, ctid, ingest_ts FROM signals ORDER BY id") == before


async def test_a_newer_different_version_replaces_the_row(pool: Pool, make_signal: Any, fetch: Any) -> None:
    """A later time with other content updates; the replaced version is kept and still counts as stored."""
    first = make_signal()
    second = make_signal(first.id, minutes=1, type="purchase")
    await store_signals(pool, [first])
    assert (await store_signals(pool, [second])).outcomes == (Outcome.UPDATED,)
    assert fetch("SELECT type FROM signals") == [("purchase",)]
    assert fetch("SELECT signal_id, event_ts FROM superseded_signals") == [(first.id, first.event_ts)]
    assert (await store_signals(pool, [first])).outcomes == (Outcome.UNCHANGED,)


@pytest.mark.parametrize(
    ("minutes", "changes", "outcome"),
    [
        (1, {}, Outcome.REPEATED),
        (-1, {}, Outcome.REPEATED),
        (0, {"type": "purchase"}, Outcome.STALE),
        (-1, {"payload_json": "{}"}, Outcome.STALE),
        (1, {"source": "mobile"}, Outcome.IDENTITY_CONFLICT),
        (1, {"source": "mobile", "type": "purchase"}, Outcome.IDENTITY_CONFLICT),
    ],
)
async def test_what_does_not_replace_the_row(
    pool: Pool, make_signal: Any, fetch: Any, minutes: int, changes: dict[str, Any], outcome: Outcome
) -> None:
    """Equal content, an older or equal time, or another source leaves the row as it is and is told apart."""
    first = make_signal()
    await store_signals(pool, [first])
    stored = await store_signals(pool, [make_signal(first.id, minutes=minutes, **changes)])
    assert stored.outcomes == (outcome,)
    assert fetch("SELECT source, type, event_ts FROM signals") == [("web", "click", first.event_ts)]


async def test_an_identity_conflict_rejects_the_newcomer(pool: Pool, make_signal: Any) -> None:
    """The same id under another source is rejected with the code identity_conflict; its neighbour is stored."""
    first = make_signal()
    stored = await store_signals(pool, [first, make_signal(first.id, source="mobile", minutes=5), make_signal()])
    assert stored.outcomes == (Outcome.INSERTED, Outcome.IDENTITY_CONFLICT, Outcome.INSERTED)
    assert list(stored.failures) == [1]
    assert stored.failures[1].failure_class is FailureClass.REJECTED
    assert stored.failures[1].code == "identity_conflict"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"payload_json": '{"data": "\\u0000"}'}, "22P05"),
        ({"payload_json": '{"data": "\\ud800"}'}, "22P02"),
        ({"payload_json": '{"data": 1e200000}'}, "22003"),
        ({"payload_json": "{"}, "22P02"),
        ({"user_id": "a\x00b"}, "22021"),
        ({"type": "\ud800"}, "22021"),
        ({"user_id": "u" * 257}, "23514"),
        ({"payload_json": json.dumps({"session_id": "s" * 257})}, "23514"),
    ],
)
async def test_a_poison_signal_stands_alone(
    pool: Pool, make_signal: Any, fetch: Any, changes: dict[str, Any], code: str
) -> None:
    """Of a batch with two signals that PostgreSQL refuses, exactly those fail; all the others are stored."""
    batch = [make_signal(**(changes if number in (3, 77) else {})) for number in range(100)]
    stored = await store_signals(pool, batch)
    assert {index: failure.code for index, failure in stored.failures.items()} == {3: code, 77: code}
    assert all(failure.failure_class is FailureClass.REJECTED for failure in stored.failures.values())
    healthy = {signal.id for index, signal in enumerate(batch) if index not in (3, 77)}
    assert {row[0] for row in fetch("SELECT id FROM signals")} == healthy


async def test_what_an_index_could_refuse_is_stored(pool: Pool, make_signal: Any) -> None:
    """A payload text of 64 KiB and a user id of 256 bytes fit every index."""
    long = json.dumps({"data": "".join(str(uuid4()) for _ in range(1821)), "session_id": "s" * 256})
    stored = await store_signals(pool, [make_signal(payload_json=long, user_id="ü" * 128)])
    assert stored.outcomes == (Outcome.INSERTED,)


async def test_writers_of_the_same_rows_do_not_deadlock(pool: Pool, make_signal: Any, fetch: Any) -> None:
    """Twenty writers of one batch in different orders all succeed, and each row exists once."""
    batch = [make_signal() for _ in range(50)]
    orders = [batch[turn:] + batch[:turn] for turn in range(20)]
    results = await asyncio.gather(*(store_signals(pool, order) for order in orders))
    assert sum(result.count(Outcome.INSERTED) for result in results) == len(batch)
    assert fetch("SELECT count(*) FROM signals") == [(len(batch),)]


async def test_rows_are_locked_in_the_order_of_their_ids(pool: Pool, make_signal: Any, fetch: Any) -> None:
    """A writer that waits for a row holds the rows before it and none after it, so no two wait for each other."""
    ids = [UUID(int=number) for number in range(1, 21)]
    await store_signals(pool, [make_signal(signal_id) for signal_id in ids])
    newer = [make_signal(signal_id, minutes=1, type="purchase") for signal_id in ids[::-1]]
    async with pool.connection() as holder, holder.transaction():
        await holder.execute("SELECT FROM signals WHERE id = %s FOR UPDATE", [ids[9]])
        writer = asyncio.create_task(store_signals(pool, newer))
        async with asyncio.timeout(10):
            while not fetch("SELECT pid FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"):
                await asyncio.wait([writer], timeout=0.01)
        free = fetch("SELECT id FROM signals ORDER BY id FOR UPDATE SKIP LOCKED")
        assert [row[0] for row in free] == ids[10:]
    assert (await writer).count(Outcome.UPDATED) == len(ids)


async def test_existing_versions_are_found(pool: Pool, make_signal: Any) -> None:
    """A stored version and an older one exist; a newer one, one of another source and an unknown one do not."""
    signal = make_signal()
    await store_signals(pool, [signal])

    def version(**parts: Any) -> SignalVersion:
        return replace(SignalVersion(id=signal.id, source=signal.source, event_ts=signal.event_ts), **parts)

    second = timedelta(seconds=1)
    asked = {
        version(): True,
        version(event_ts=None): True,
        version(event_ts=signal.event_ts - second): True,
        version(event_ts=signal.event_ts + second): False,
        version(source="another"): False,
        version(id=uuid1()): False,
    }
    assert await signals_exist(pool, list(asked)) == list(asked.values())


@dataclass(frozen=True)
class Stored:
    """What the model remembers of a row."""

    source: str
    minutes: int
    content: str


def model(versions: list[tuple[UUID, Stored]]) -> dict[UUID, Stored]:
    """Apply versions one by one as design.md says it in words."""
    rows: dict[UUID, Stored] = {}
    for signal_id, version in versions:
        row = rows.get(signal_id)
        newer = row and version.source == row.source and version.minutes > row.minutes
        if row is None or (newer and version.content != row.content):
            rows[signal_id] = version
    return rows


IDS = [uuid4() for _ in range(3)]
VERSIONS = st.lists(
    st.tuples(
        st.sampled_from(IDS),
        st.builds(Stored, st.sampled_from(["web", "api"]), st.integers(0, 4), st.sampled_from(["1", "2"])),
    ),
    min_size=1,
    max_size=14,
)


@given(versions=VERSIONS, data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_split_into_batches_ends_as_one_by_one(
    pool: Pool, make_signal: Any, fetch: Any, versions: list[tuple[UUID, Stored]], data: st.DataObject
) -> None:
    """Whatever versions arrive, in whatever batches, the rows are those of applying them one by one."""
    fetch("TRUNCATE signals, superseded_signals CASCADE")
    signals = [
        make_signal(signal_id, source=version.source, minutes=version.minutes, payload_json=version.content)
        for signal_id, version in versions
    ]
    while signals:
        size = data.draw(st.integers(1, len(signals)))
        await store_signals(pool, signals[:size])
        signals = signals[size:]
    rows = fetch("SELECT id, source, event_ts, payload::text FROM signals")
    noon = make_signal().event_ts
    found = {row[0]: Stored(row[1], int((row[2] - noon).total_seconds() // 60), row[3]) for row in rows}
    assert found == model(versions)
