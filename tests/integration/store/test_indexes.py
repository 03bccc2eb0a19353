"""The 27 indexes: they are exactly these, and every documented query is served by the one that was made for it.

`INDEX_ROWS=1000000 make test T=tests/integration/store/test_indexes.py` asks with as many signals; the plans are those
of 200,000, which take a few seconds to make.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from signal_pipeline.store.queries import query

INDEXES = {
    "signals": {
        "signals_pkey",
        "signals_user_type_ts_idx",
        "signals_type_ts_idx",
        "signals_session_ts_idx",
        "signals_payload_idx",
        "signals_event_ts_brin_idx",
        "signals_ingest_ts_brin_idx",
        "signals_data_ts_idx",
        "signals_late_idx",
        "signals_future_idx",
    },
    "anomalies": {
        "anomalies_pkey",
        "anomalies_signal_type_key",
        "anomalies_user_ts_idx",
        "anomalies_type_ts_idx",
        "anomalies_severity_ts_idx",
        "anomalies_severe_idx",
        "anomalies_detection_ts_brin_idx",
        "anomalies_context_idx",
        "anomalies_rule_idx",
        "anomalies_hour_idx",
    },
    "outbox_events": {
        "outbox_events_pkey",
        "outbox_events_pending_idx",
        "outbox_events_pending_type_idx",
        "outbox_events_aggregate_idx",
        "outbox_events_signal_idx",
        "outbox_events_created_at_brin_idx",
        "outbox_events_processed_at_brin_idx",
    },
}

ROWS = int(os.environ.get("INDEX_ROWS", "200000"))
# Ten days of signals, one anomaly for every fourth, confirmed but for the newest hundredth. A few are late, a few
# come from the future.
GENERATED = """
SELECT setseed(0.5);

INSERT INTO signals (id, user_id, source, type, event_ts, ingest_ts, payload)
SELECT
    ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid,
    'user_' || ceil(random() * 1000),
    (ARRAY['web', 'mobile', 'api'])[n % 3 + 1],
    (ARRAY['login', 'purchase', 'click', 'api_call'])[ceil(random() * 4)],
    now() - interval '10 days' * (200000 - n) / 200000
    - CASE WHEN n % 1000 = 0 THEN interval '1 hour' WHEN n % 1000 = 1 THEN -interval '1 hour' ELSE '0' END,
    now() - interval '10 days' * (200000 - n) / 200000,
    jsonb_build_object(
        'session_id', 'sess_' || floor(10000 + random() * 90000), 'data', 'sample_data_' || ceil(random() * 100)
    )
FROM generate_series(1, 200000) AS n;

INSERT INTO anomalies (id, user_id, anomaly_type, severity, detection_ts, signal_event_id, context)
SELECT
    gen_random_uuid(),
    user_id,
    (ARRAY['high_data_value', 'low_data_value', 'suspicious_session', 'unusual_time_activity'])[ceil(random() * 4)],
    (ARRAY[1, 1, 1, 1, 1, 1, 1, 1, 2, 3])[ceil(random() * 10)],
    ingest_ts,
    id,
    jsonb_build_object(
        'original_signal', jsonb_build_object('id', id, 'payload', payload),
        'rule', (ARRAY['high_data_value', 'low_data_value', 'suspicious_session'])[ceil(random() * 3)]
    )
FROM signals WHERE right(id::text, 2)::int % 4 = 0 ORDER BY id;

INSERT INTO outbox_events (aggregateid, subject, payload, created_at, processed_at)
SELECT
    id::text, user_id, jsonb_build_object('id', id, 'signal_event_id', signal_event_id), detection_ts,
    CASE WHEN detection_ts < now() - interval '2.4 hours' THEN detection_ts + interval '40 milliseconds' END
FROM anomalies ORDER BY detection_ts;
"""

SOME_SIGNAL = "00000000-0000-0000-0000-000000100000"
HOUR = timedelta(hours=1)
SERVED = [
    ("signals_exist", {"ids": [SOME_SIGNAL], "sources": ["web"], "times": [None]}, "signals_pkey"),
    ("signals_of_user_by_type", {"user_id": "user_7", "type": "login", "limit": 100}, "signals_user_type_ts_idx"),
    ("signals_of_type", {"type": "login", "limit": 100}, "signals_type_ts_idx"),
    ("signals_of_session", {"session_id": "sess_12345"}, "signals_session_ts_idx"),
    ("signals_containing", {"part": '{"data": "sample_data_42"}', "limit": 10_000}, "signals_payload_idx"),
    ("signals_since", {"window": HOUR}, "signals_event_ts_brin_idx"),
    ("signals_stored_since", {"window": HOUR}, "signals_ingest_ts_brin_idx"),
    ("signals_with_data", {"data": "sample_data_42", "limit": 100}, "signals_data_ts_idx"),
    ("signals_late", {"limit": 100}, "signals_late_idx"),
    ("signals_from_the_future", {"limit": 100}, "signals_future_idx"),
    ("anomalies_of_signal", {"signal_id": SOME_SIGNAL}, "anomalies_signal_type_key"),
    ("anomalies_of_user", {"user_id": "user_5", "limit": 100}, "anomalies_user_ts_idx"),
    ("anomalies_of_type", {"anomaly_type": "low_data_value", "limit": 100}, "anomalies_type_ts_idx"),
    ("anomalies_of_severity", {"severity": 2, "limit": 100}, "anomalies_severity_ts_idx"),
    ("anomalies_severe", {"limit": 100}, "anomalies_severe_idx"),
    ("anomalies_since", {"window": HOUR}, "anomalies_detection_ts_brin_idx"),
    (
        "anomalies_containing",
        {"part": '{"original_signal": {"payload": {"data": "sample_data_29"}}}', "limit": 10_000},
        "anomalies_context_idx",
    ),
    ("anomalies_of_rule", {"rule": "high_data_value", "limit": 100}, "anomalies_rule_idx"),
    ("anomalies_in_hour", {"hour": datetime.now(UTC).replace(tzinfo=None)}, "anomalies_hour_idx"),
    ("confirm_outbox", {"ids": [SOME_SIGNAL]}, "outbox_events_pkey"),
    (
        "outbox_pending",
        {"after_time": datetime(2000, 1, 1, tzinfo=UTC), "after_id": SOME_SIGNAL, "limit": 100},
        "outbox_events_pending_idx",
    ),
    ("outbox_pending_of_type", {"eventtype": "anomaly_detected"}, "outbox_events_pending_type_idx"),
    (
        "outbox_of_aggregate",
        {"aggregatetype": "anomaly", "aggregateid": SOME_SIGNAL},
        "outbox_events_aggregate_idx",
    ),
    ("outbox_of_signal", {"signal_id": SOME_SIGNAL}, "outbox_events_signal_idx"),
    ("outbox_created_since", {"window": HOUR}, "outbox_events_created_at_brin_idx"),
    ("outbox_confirmed_since", {"window": 3 * HOUR}, "outbox_events_processed_at_brin_idx"),
]
# Nothing is asked of these by a statement of the corpus: they are constraints that an INSERT … ON CONFLICT infers.
CONSTRAINTS_ONLY = {"anomalies_pkey"}


@pytest.fixture(scope="module")
def large(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection to a database with ten days of signals, analysed and with merged pending lists."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(GENERATED.replace("200000", str(ROWS)).encode())
        connection.execute("SELECT clean_gin_pending(), analyze_pipeline()")
        connection.execute("VACUUM signals, anomalies, outbox_events")
        yield connection


def test_the_tables_have_exactly_these_indexes(large: psycopg.Connection[Any]) -> None:
    """The three tables have 27 indexes, those of the list."""
    rows = large.execute(
        "SELECT tablename, indexname FROM pg_indexes WHERE tablename = any(%s)", [list(INDEXES)]
    ).fetchall()
    assert len(rows) == 27
    assert {table: {name for owner, name in rows if owner == table} for table in INDEXES} == INDEXES


def test_every_index_serves_a_query_or_a_constraint() -> None:
    """No index is left that neither a documented query nor a constraint needs."""
    needed = {index for _, _, index in SERVED} | CONSTRAINTS_ONLY
    assert needed == set().union(*INDEXES.values())


@pytest.mark.parametrize(("name", "parameters", "index"), SERVED, ids=[name for name, _, _ in SERVED])
def test_a_documented_query_uses_its_index(
    large: psycopg.Connection[Any], name: str, parameters: dict[str, Any], index: str
) -> None:
    """The planner serves the query by the index that was made for it and reads no table whole."""
    plan = large.execute(f"EXPLAIN (FORMAT JSON) {query(name)}".encode(), parameters).fetchone()
    nodes = list(_nodes(plan[0][0]["Plan"])) if plan else []
    assert index in {node.get("Index Name") for node in nodes}
    assert not [node for node in nodes if node["Node Type"] == "Seq Scan"]


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from _nodes(child)
