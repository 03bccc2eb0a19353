"""Anomalies and their outbox rows: together, once, and only for versions that were accepted."""

import asyncio
import json
from typing import Any
from uuid import RFC_4122, UUID, uuid4

from signal_pipeline.domain.anomalies import Anomaly, anomalies_of
from signal_pipeline.domain.signals import Signal
from signal_pipeline.store.anomalies import Detection, store_anomalies
from signal_pipeline.store.outbox import confirm_outbox
from signal_pipeline.store.pool import Pool
from signal_pipeline.store.signals import store_signals
from signal_pipeline.store.upsert import Outcome

COUNTS = "SELECT (SELECT count(*) FROM signals), (SELECT count(*) FROM anomalies), (SELECT count(*) FROM outbox_events)"


def detection(signal: Signal, **changes: Any) -> Detection:
    """Find what the real rules find in a sample that breaks two of them."""
    payload = {"session_id": "sess_11112", "data": "sample_data_99"} | changes
    values = {name: getattr(signal, name) for name in Signal.__slots__}
    seen = Signal(**values | {"payload": payload, "payload_json": json.dumps(payload)})
    return Detection(signal=seen, anomalies=anomalies_of(seen))


async def test_anomalies_come_with_signal_and_outbox_row(pool: Pool, make_signal: Any, fetch: Any) -> None:
    """A signal that breaks two rules is stored with two anomalies, and each has one outbox row that tells it whole."""
    found = detection(make_signal())
    stored = await store_anomalies(pool, [found])
    assert stored.inserted == {anomaly.id for anomaly in found.anomalies}
    assert stored.signals.outcomes == (Outcome.INSERTED,)
    rows = fetch(
        "SELECT o.eventtype, o.aggregatetype, o.subject, o.specversion, o.processed_at, o.payload, a.detection_ts,"
        " a.context FROM outbox_events o JOIN anomalies a ON a.id::text = o.aggregateid ORDER BY a.anomaly_type"
    )
    assert [row[:5] for row in rows] == [("anomaly_detected", "anomaly", "user_1", "1.0", None)] * 2
    for anomaly, row in zip(found.anomalies, rows, strict=True):
        event, detected_at, context = row[5:]
        assert event["context"] == context == json.loads(anomaly.context_json)
        assert event == {
            "id": str(anomaly.id),
            "anomaly_type": anomaly.anomaly_type,
            "severity": 1,
            "detection_ts": event["detection_ts"],
            "user_id": "user_1",
            "signal_event_id": str(found.signal.id),
            "context": context,
        }
        assert event["detection_ts"][:19] == detected_at.isoformat()[:19]


async def test_the_subject_is_the_signal_when_there_is_no_user(pool: Pool, make_signal: Any, fetch: Any) -> None:
    """Without a user, or with an empty one, the outbox row's subject is the id of the signal."""
    nobody, empty = detection(make_signal(user_id=None)), detection(make_signal(user_id=""))
    await store_anomalies(pool, [nobody, empty])
    subjects = {row[0] for row in fetch("SELECT subject FROM outbox_events")}
    assert subjects == {str(nobody.signal.id), str(empty.signal.id)}


async def test_an_anomaly_found_again_after_a_loss_has_the_same_event(pool: Pool, make_signal: Any, fetch: Any) -> None:
    """When the rows are gone, as after restoring an older backup, the same signal leads to events with the same ids."""
    found = detection(make_signal())
    await store_anomalies(pool, [found])
    before = fetch("SELECT id, aggregateid FROM outbox_events ORDER BY 1")
    fetch("TRUNCATE outbox_events, anomalies, signals")
    await store_anomalies(pool, [found])
    assert fetch("SELECT id, aggregateid FROM outbox_events ORDER BY 1") == before
    assert len({row[0] for row in before}) == 2
    assert {(row[0].version, row[0].variant) for row in before} == {(8, RFC_4122)}


async def test_redelivery_publishes_nothing(pool: Pool, make_signal: Any, fetch: Any) -> None:
    """The same detections again, and in one batch twice, insert no anomaly and no outbox row."""
    found = detection(make_signal())
    await store_anomalies(pool, [found, found])
    again = await store_anomalies(pool, [found])
    assert again.inserted == frozenset()
    assert fetch(COUNTS) == [(1, 2, 2)]


async def test_twenty_at_once_store_one(pool: Pool, make_signal: Any, fetch: Any) -> None:
    """Of twenty tasks that store the same event at once, beside process-signal, one inserts and all succeed."""
    found = detection(make_signal())
    beside = asyncio.gather(*(store_signals(pool, [found.signal]) for _ in range(5)))
    results = await asyncio.gather(*(store_anomalies(pool, [found]) for _ in range(20)))
    await beside
    assert sorted(len(result.inserted) for result in results) == [0] * 19 + [2]
    assert fetch(COUNTS) == [(1, 2, 2)]


async def test_process_signal_may_be_first(pool: Pool, make_signal: Any, fetch: Any) -> None:
    """A signal that process-signal stored before gets its anomalies."""
    found = detection(make_signal())
    await store_signals(pool, [found.signal])
    stored = await store_anomalies(pool, [found])
    assert len(stored.inserted) == 2
    assert fetch(COUNTS) == [(1, 2, 2)]


async def test_a_version_that_was_replaced_meanwhile_counts(pool: Pool, make_signal: Any) -> None:
    """Anomalies of an accepted version are recorded although process-signal has already replaced it."""
    old = detection(make_signal())
    await store_signals(pool, [old.signal, make_signal(old.signal.id, minutes=1, payload_json="{}")])
    stored = await store_anomalies(pool, [old])
    assert stored.signals.outcomes == (Outcome.UNCHANGED,)
    assert len(stored.inserted) == 2


async def test_a_version_that_was_not_accepted_has_no_anomalies(pool: Pool, make_signal: Any, fetch: Any) -> None:
    """Other content with an equal or older time, and another source, leave no anomaly and no outbox row."""
    stored_first = make_signal(payload_json="{}")
    await store_signals(pool, [stored_first])
    late = [
        detection(make_signal(stored_first.id)),
        detection(make_signal(stored_first.id, minutes=-1)),
        detection(make_signal(stored_first.id, minutes=1, source="mobile")),
    ]
    for one in late:
        assert (await store_anomalies(pool, [one])).inserted == frozenset()
    assert fetch(COUNTS) == [(1, 0, 0)]


async def test_two_accepted_versions_give_the_union(pool: Pool, make_signal: Any, fetch: Any) -> None:
    """Two versions in one batch, the second newer, leave the anomalies of both; the context keeps the first."""
    first = detection(make_signal(), session_id="sess_12345")
    second = detection(make_signal(first.signal.id, minutes=1), data="sample_data_98")
    await store_anomalies(pool, [first, second])
    rows = fetch("SELECT anomaly_type, context #>> '{original_signal,payload,data}' FROM anomalies ORDER BY 1")
    assert rows == [("high_data_value", "sample_data_99"), ("suspicious_session", "sample_data_98")]


async def test_a_refused_signal_costs_its_neighbours_nothing(pool: Pool, make_signal: Any, fetch: Any) -> None:
    """A signal that PostgreSQL refuses has no anomalies and a failure; its neighbours have theirs."""
    healthy, poison = detection(make_signal()), detection(make_signal(user_id="u" * 300))
    stored = await store_anomalies(pool, [poison, healthy])
    assert list(stored.signals.failures) == [0]
    assert stored.inserted == {anomaly.id for anomaly in healthy.anomalies}
    assert fetch(COUNTS) == [(1, 2, 2)]


async def test_a_fault_after_the_anomalies_leaves_nothing(pool: Pool, make_signal: Any, fetch: Any) -> None:
    """When the outbox cannot be written, neither anomaly nor signal is stored: it is one transaction."""
    found = detection(make_signal())
    fetch("ALTER TABLE outbox_events ADD CONSTRAINT broken CHECK (aggregateid IS NULL) NOT VALID")
    try:
        failed = await asyncio.gather(store_anomalies(pool, [found]), return_exceptions=True)
    finally:
        fetch("ALTER TABLE outbox_events DROP CONSTRAINT broken")
    assert isinstance(failed[0], Exception)
    assert fetch(COUNTS) == [(0, 0, 0)]


async def test_the_id_of_an_anomaly_may_change_between_releases(pool: Pool, make_signal: Any, fetch: Any) -> None:
    """A second anomaly of the same signal and rule under another id is no second anomaly."""
    found = detection(make_signal())
    await store_anomalies(pool, [found])
    names = Anomaly.__slots__
    other = [Anomaly(**{name: getattr(one, name) for name in names} | {"id": uuid4()}) for one in found.anomalies]
    again = await store_anomalies(pool, [Detection(signal=found.signal, anomalies=other)])
    assert again.inserted == frozenset()
    assert fetch(COUNTS) == [(1, 2, 2)]


async def test_confirmation_stamps_once(pool: Pool, make_signal: Any, fetch: Any) -> None:
    """A confirmed row keeps its first time; unknown ids change nothing; the count is of rows newly stamped."""
    await store_anomalies(pool, [detection(make_signal())])
    ids: list[UUID] = [row[0] for row in fetch("SELECT id FROM outbox_events")]
    assert await confirm_outbox(pool, [ids[0], uuid4()]) == 1
    stamped = fetch("SELECT processed_at FROM outbox_events WHERE id = %s", ids[0])
    assert await confirm_outbox(pool, [*ids, *ids]) == 1
    assert fetch("SELECT processed_at FROM outbox_events WHERE id = %s", ids[0]) == stamped
    assert fetch("SELECT count(*) FROM outbox_events WHERE processed_at IS NULL") == [(0,)]


async def test_no_snapshot_holds_an_anomaly_without_its_outbox_row(pool: Pool, make_signal: Any, fetch: Any) -> None:
    """While anomalies are stored and confirmed at once, every snapshot has as many outbox rows as anomalies."""
    pairs = "SELECT (SELECT count(*) FROM anomalies) = (SELECT count(*) FROM outbox_events)"
    writers = [
        asyncio.create_task(store_anomalies(pool, [detection(make_signal()) for _ in range(20)])) for _ in range(20)
    ]
    seen = 0
    while not all(writer.done() for writer in writers):
        assert fetch(pairs) == [(True,)]
        seen += 1
        await asyncio.wait(writers, timeout=0.001)
    assert seen > 1
    assert fetch(COUNTS) == [(400, 800, 800)]


async def test_an_event_fits_its_topic_whatever_its_numbers(pool: Pool, make_signal: Any, fetch: Any) -> None:
    """In jsonb 1e308 has 309 digits: 200 KiB of them stay in the table, and the event says that it leaves them out."""
    found = detection(make_signal(), numbers=[1e308] * 30_000)
    await store_anomalies(pool, [found])
    ((size, omitted, payload, original, kept),) = fetch(
        "SELECT octet_length(o.payload::text), o.payload->'context'->'payload_omitted',"
        " o.payload->'context'->'original_signal'->'payload', o.payload->'context'->'original_signal'->>'id',"
        " jsonb_array_length(a.context->'original_signal'->'payload'->'numbers')"
        " FROM outbox_events o JOIN anomalies a ON a.id::text = o.aggregateid WHERE a.anomaly_type = 'high_data_value'"
    )
    assert size < 1_000
    assert (omitted, payload, original, kept) == (True, None, str(found.signal.id), 30_000)
