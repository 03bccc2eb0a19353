"""What each database role may do, and what it may not."""

from typing import Any

import psycopg
import pytest

SIGNAL = "INSERT INTO signals (id, source, event_ts) VALUES (gen_random_uuid(), 'web', now())"
UPSERT = f"{SIGNAL} ON CONFLICT (id) DO UPDATE SET event_ts = excluded.event_ts"
ANOMALY = "INSERT INTO anomalies (id, anomaly_type, signal_event_id) SELECT id, 'rule', id FROM signals RETURNING *"
EVENT = "INSERT INTO outbox_events (aggregateid, subject, payload) VALUES ('a', 's', '{}')"
STAMP = "UPDATE outbox_events SET processed_at = now() WHERE id = gen_random_uuid() AND processed_at IS NULL"
USER = "INSERT INTO users (username, password_hash) VALUES ('u', '$argon2id$x')"
JOB = "INSERT INTO replay_jobs (plan, filter, requested_by, total) VALUES ('p', '{}', 'me', 0)"
BEAT = "INSERT INTO debezium_heartbeat DEFAULT VALUES"
CREATE = "CREATE TABLE public.mine (id int)"

MAY = {
    "pipeline_processor": [UPSERT, "SELECT * FROM superseded_signals"],
    "pipeline_detector": [UPSERT, ANOMALY, EVENT, "SELECT * FROM superseded_signals"],
    "pipeline_confirmer": [STAMP, "SELECT id FROM outbox_events WHERE processed_at IS NULL FOR UPDATE"],
    "pipeline_replayer": [
        JOB,
        "UPDATE dead_letters SET status = 'resolved'",
        "SELECT id FROM signals",
    ],
    "pipeline_auth": [USER, "DELETE FROM refresh_tokens", "SELECT * FROM api_keys"],
    "pipeline_reader": [
        "SELECT * FROM signals",
        "SELECT * FROM outbox_lag_stats",
        "SELECT * FROM gin_pending_stats",
        "SELECT * FROM slot_lag_stats",
    ],
    "pipeline_maintainer": [
        "SELECT purge_signals(now(), 1)",
        "SELECT clean_gin_pending()",
        "SELECT analyze_pipeline()",
    ],
    "pipeline_cdc": [BEAT, "SELECT * FROM outbox_events"],
}
MAY_NOT = {
    "pipeline_processor": [
        "DELETE FROM signals",
        "UPDATE signals SET source = 'x'",
        "UPDATE signals SET id = gen_random_uuid()",
        "SELECT * FROM anomalies",
        "INSERT INTO superseded_signals VALUES (gen_random_uuid(), now())",
        EVENT,
        CREATE,
    ],
    "pipeline_detector": [
        "DELETE FROM signals",
        "UPDATE anomalies SET severity = 2",
        "DELETE FROM anomalies",
        "UPDATE outbox_events SET processed_at = now()",
        "SELECT * FROM outbox_events",
        "SELECT purge_signals(now(), 1)",
        CREATE,
    ],
    "pipeline_confirmer": [
        "UPDATE outbox_events SET payload = '{}'",
        "DELETE FROM outbox_events",
        "SELECT payload FROM outbox_events",
        "SELECT * FROM signals",
        CREATE,
    ],
    "pipeline_replayer": [
        "DELETE FROM dead_letters",
        "SELECT payload FROM signals",
        SIGNAL,
        "SELECT * FROM users",
        CREATE,
    ],
    "pipeline_auth": ["SELECT * FROM signals", "DELETE FROM users", "SELECT * FROM dead_letters", CREATE],
    "pipeline_reader": [
        "SELECT * FROM users",
        "SELECT * FROM refresh_tokens",
        "SELECT * FROM api_keys",
        SIGNAL,
        "DELETE FROM anomalies",
        "SELECT clean_gin_pending()",
        CREATE,
    ],
    "pipeline_maintainer": ["SELECT * FROM signals", "DELETE FROM signals", "SELECT mark_purged('signals', now())"],
    "pipeline_cdc": [
        "SELECT * FROM signals",
        "SELECT * FROM dead_letters",
        EVENT,
        "UPDATE outbox_events SET processed_at = now()",
        "DELETE FROM debezium_heartbeat",
        CREATE,
    ],
}


def pairs(table: dict[str, list[str]]) -> list[tuple[str, str]]:
    """List the pairs of role and statement."""
    return [(role, statement) for role, statements in table.items() for statement in statements]


def run_as(database_url: str, role: str, statement: str) -> None:
    """Run a statement as a role, in a transaction that is rolled back."""
    with psycopg.connect(database_url) as connection:
        connection.execute(f"SET LOCAL ROLE {role}".encode())
        connection.execute(statement.encode())
        connection.rollback()


@pytest.mark.parametrize(("role", "statement"), pairs(MAY))
def test_a_role_may(database_url: str, role: str, statement: str) -> None:
    """A role can do what its job needs."""
    run_as(database_url, role, statement)


@pytest.mark.parametrize(("role", "statement"), pairs(MAY_NOT))
def test_a_role_may_not(database_url: str, role: str, statement: str) -> None:
    """A role cannot do anything else."""
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        run_as(database_url, role, statement)


def test_no_group_role_can_log_in(database_url: str) -> None:
    """The roles of the schema are groups: none can log in, and none is a superuser or creates roles."""
    with psycopg.connect(database_url) as connection:
        rows: list[tuple[Any, ...]] = connection.execute(
            "SELECT rolname FROM pg_roles WHERE rolname LIKE 'pipeline%' "
            "AND (rolcanlogin OR rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls)"
        ).fetchall()
    assert rows == []
