"""Purges, index maintenance and statistics on a real PostgreSQL."""

from datetime import timedelta
from typing import Any

import pytest

from signal_pipeline.domain.anomalies import Anomaly
from signal_pipeline.store.anomalies import Detection, store_anomalies
from signal_pipeline.store.maintenance import Purged, analyze, clean_gin_pending, keep_up, purge
from signal_pipeline.store.outbox import confirm_outbox
from signal_pipeline.store.pool import Pool
from signal_pipeline.store.signals import store_signals
from signal_pipeline.store.stats import outbox_status, table_stats

HOUR = timedelta(hours=1)


async def store_old(pool: Pool, make_signal: Any, fetch: Any, *, confirmed: bool) -> None:
    """Store five signals with an anomaly and five without, all two hours ago."""
    signals = [make_signal() for _ in range(5)]
    await store_anomalies(
        pool,
        [
            Detection(
                signal=signal,
                anomalies=[
                    Anomaly(
                        id=signal.id,
                        user_id=signal.user_id,
                        anomaly_type="rule",
                        severity=1,
                        signal_event_id=signal.id,
                        context_json='{"rule": "rule"}',
                    )
                ],
            )
            for signal in signals
        ],
    )
    await store_signals(pool, [make_signal() for _ in range(5)])
    if confirmed:
        await confirm_outbox(pool, [row[0] for row in fetch("SELECT id FROM outbox_events")])
    fetch("UPDATE signals SET ingest_ts = now() - interval '2 hours'")
    fetch("UPDATE anomalies SET detection_ts = now() - interval '2 hours'")


async def test_a_purge_deletes_what_is_old_in_order(pool: Pool, make_signal: Any, fetch: Any) -> None:
    """Old anomalies go with their outbox rows, then old signals and their replaced versions; new rows stay."""
    await store_old(pool, make_signal, fetch, confirmed=True)
    young = make_signal()
    await store_signals(pool, [young, make_signal(young.id, minutes=1, type="purchase")])
    fetch("INSERT INTO debezium_heartbeat (beat_at) VALUES (now() - interval '2 hours'), (now())")
    assert await purge(pool, HOUR, batch=3) == Purged(
        anomalies=5, signals=10, dead_letters=0, heartbeats=1, access_events=0
    )
    assert fetch("SELECT id FROM signals") == [(young.id,)]
    assert fetch("SELECT count(*) FROM superseded_signals") == [(1,)]
    assert fetch("SELECT (SELECT count(*) FROM anomalies), (SELECT count(*) FROM outbox_events)") == [(0, 0)]


async def test_what_is_pending_is_not_purged(pool: Pool, make_signal: Any, fetch: Any) -> None:
    """An anomaly whose event is not confirmed stays with its outbox row and its signal."""
    await store_old(pool, make_signal, fetch, confirmed=False)
    assert await purge(pool, HOUR) == Purged(anomalies=0, signals=5, dead_letters=0, heartbeats=0, access_events=0)
    assert fetch("SELECT count(*) FROM signals JOIN anomalies ON signals.id = signal_event_id") == [(5,)]


async def test_a_purge_leaves_its_mark(pool: Pool, fetch: Any) -> None:
    """How far each table was purged is recorded, and a purge that keeps more does not move it back."""
    await purge(pool, HOUR)
    marks = fetch("SELECT table_name, purged_before FROM purge_marks ORDER BY table_name")
    assert [name for name, _ in marks] == ["anomalies", "dead_letters", "signals"]
    await purge(pool, 2 * HOUR)
    assert fetch("SELECT table_name, purged_before FROM purge_marks ORDER BY table_name") == marks


async def test_one_step_of_a_purge_is_bounded(pool: Pool, make_signal: Any, fetch: Any) -> None:
    """A call of a purge function deletes no more than its batch."""
    await store_old(pool, make_signal, fetch, confirmed=True)
    assert fetch("SELECT purge_anomalies(now(), 2)") == [(2,)]
    assert fetch("SELECT (SELECT count(*) FROM anomalies), (SELECT count(*) FROM outbox_events)") == [(3, 3)]
    assert fetch("SELECT purge_signals(now(), 4)") == [(4,)]


async def test_only_settled_dead_letters_are_purged(pool: Pool, fetch: Any) -> None:
    """Replayed and resolved dead letters expire; scheduled and quarantined ones are kept."""
    fetch(
        "INSERT INTO dead_letters (dlq_id, original_topic, original_partition, original_offset, sha256, failure_class,"
        " code, disposition, failure_ids, first_failed_at, last_failed_at, consumer_group, status, next_attempt_at,"
        " updated_at)"
        " SELECT gen_random_uuid(), 't', 0, n, sha256(''), 'unexpected', '500', 'exhausted', '{}', now(), now(), 'g',"
        " (ARRAY['scheduled', 'replayed', 'resolved', 'quarantined'])[n], now(), now() - interval '2 hours'"
        " FROM generate_series(1, 4) AS n"
    )
    assert (await purge(pool, HOUR)).dead_letters == 2
    assert {row[0] for row in fetch("SELECT status FROM dead_letters")} == {"scheduled", "quarantined"}
    assert fetch("SELECT sum(letters) FROM dead_letter_summary") == [(2,)]


async def test_quarantine_is_kept_for_a_further_week(pool: Pool, fetch: Any) -> None:
    """With a retention of an hour a quarantined dead letter goes 7 days and an hour after its last change."""
    for age in ("7 days 1 hour 1 minute", "7 days 59 minutes"):
        fetch(
            "INSERT INTO dead_letters (dlq_id, original_topic, original_partition, original_offset, sha256,"
            " failure_class, code, message, disposition, failure_ids, first_failed_at, last_failed_at,"
            " consumer_group, status, updated_at)"
            " VALUES (gen_random_uuid(), 't', 0, 1, sha256(''), 'invalid', '400', %s, 'poison', '{}', now(), now(),"
            " 'g', 'quarantined', now() - %s::interval)",
            age,
            age,
        )
    assert (await purge(pool, HOUR)).dead_letters == 1
    assert fetch("SELECT message FROM dead_letters") == [("7 days 59 minutes",)]


async def test_pending_lists_are_merged(pool: Pool, make_signal: Any, fetch: Any) -> None:
    """Fresh entries wait in the pending list of the payload's index until they are merged."""
    await store_signals(pool, [make_signal(payload_json=f'{{"data": "{number}"}}') for number in range(200)])
    pending = "SELECT pending_pages > 0 FROM gin_pending_stats WHERE index_name = 'signals_payload_idx'"
    assert fetch(pending) == [(True,)]
    assert (await clean_gin_pending(pool))["signals_payload_idx"] > 0
    assert fetch(pending) == [(False,)]


async def test_analysis_refreshes_the_statistics(pool: Pool, make_signal: Any, fetch: Any) -> None:
    """After it the planner's row count is the real one."""
    await store_signals(pool, [make_signal() for _ in range(123)])
    assert await analyze(pool) >= 0
    assert fetch("SELECT reltuples FROM pg_class WHERE relname = 'signals'") == [(123.0,)]


async def test_upkeep_merges_always_and_analyses_when_it_is_time(pool: Pool, make_signal: Any, fetch: Any) -> None:
    """Pending lists are merged each time; statistics are refreshed once in the interval, whoever asks."""
    fetch("SELECT pg_stat_reset(), pg_stat_force_next_flush()")
    await store_signals(pool, [make_signal(payload_json=f'{{"data": "{number}"}}') for number in range(200)])
    first = await keep_up(pool, analyze_every=HOUR)
    assert first.merged_pages > 0
    assert first.summarized_ranges is not None
    fetch("SELECT pg_stat_force_next_flush()")
    again = await keep_up(pool, analyze_every=HOUR)
    assert (again.merged_pages, again.summarized_ranges) == (0, None)
    assert (await keep_up(pool, analyze_every=timedelta(0))).summarized_ranges is not None


async def test_the_outbox_status_is_the_real_one(pool: Pool, make_signal: Any, fetch: Any) -> None:
    """Pending, confirmed and the age of the oldest pending row are counted; a missing slot shows as None."""
    empty = await outbox_status(pool)
    assert (empty.pending, empty.confirmed, empty.oldest_pending_at, empty.oldest_pending_seconds) == (0, 0, None, 0)
    await store_old(pool, make_signal, fetch, confirmed=False)
    ids = [row[0] for row in fetch("SELECT id FROM outbox_events ORDER BY id")]
    fetch("UPDATE outbox_events SET created_at = now() - interval '90 seconds' WHERE id = %s", ids[4])
    await confirm_outbox(pool, ids[:2])
    status = await outbox_status(pool)
    assert (status.pending, status.confirmed, status.slot_active) == (3, 2, None)
    assert status.oldest_pending_seconds == pytest.approx(90, abs=5)


async def test_the_table_statistics_cover_every_table(pool: Pool, make_signal: Any, fetch: Any) -> None:
    """Every table of the schema is listed with its size."""
    await store_signals(pool, [make_signal() for _ in range(10)])
    stats = {table.table_name: table for table in await table_stats(pool)}
    assert set(stats) == {row[0] for row in fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    assert stats["signals"].table_bytes > 0
    assert stats["signals"].index_bytes > 0


@pytest.mark.parametrize(
    "view",
    [
        "table_performance_stats",
        "index_usage_stats",
        "gin_pending_stats",
        "slot_lag_stats",
        "outbox_lag_stats",
        "dead_letter_summary",
        "signal_throughput",
    ],
)
async def test_a_view_can_be_read_on_an_empty_pipeline(pool: Pool, fetch: Any, view: str) -> None:
    """No view fails on tables without rows."""
    await pool.ping()
    fetch(f"SELECT * FROM {view}")  # noqa: S608 - names from the list above


async def test_throughput_counts_signals_by_minute(pool: Pool, make_signal: Any, fetch: Any) -> None:
    """The signals of the last hour are counted in the minute in which they were stored."""
    await store_signals(pool, [make_signal() for _ in range(7)])
    assert fetch("SELECT sum(signals), max(users) FROM signal_throughput") == [(7, 1)]


async def test_access_events_are_kept_for_90_days(pool: Pool, fetch: Any) -> None:
    """What happened to credentials outlives the retention of signals, and is deleted when it is three months old."""
    fetch(
        "INSERT INTO access_events (at, kind, subject) VALUES (now() - interval '89 days', 'logged_out', 'young'), "
        "(now() - interval '91 days', 'logged_out', 'old')"
    )
    assert (await purge(pool, HOUR)).access_events == 1
    assert fetch("SELECT subject FROM access_events") == [("young",)]


async def test_a_flood_of_failed_logins_is_bounded(pool: Pool, fetch: Any) -> None:
    """Of failed logins the newest 100,000 are kept; nothing else makes room for them."""
    fetch("TRUNCATE access_events")
    fetch("INSERT INTO access_events (kind, subject) VALUES ('user_created', 'u')")
    fetch("INSERT INTO access_events (kind, subject) SELECT 'login_failed', n::text FROM generate_series(1, 100010) n")
    assert (await purge(pool, HOUR)).access_events == 10
    kept = "SELECT kind, count(*), min(subject::int) FILTER (WHERE kind = 'login_failed') FROM access_events GROUP BY 1"
    assert sorted(fetch(kept)) == [("login_failed", 100_000, 11), ("user_created", 1, None)]
    fetch("TRUNCATE access_events")
