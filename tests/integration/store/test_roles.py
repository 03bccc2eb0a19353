"""What each database role may do, and what it may not."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from signal_pipeline.domain.anomalies import anomalies_of
from signal_pipeline.store.anomalies import Detection, store_anomalies
from signal_pipeline.store.dead_letters import take_due
from signal_pipeline.store.outbox import confirm_outbox
from signal_pipeline.store.pool import Pool
from signal_pipeline.store.signals import SignalVersion, signals_exist, store_signals
from signal_pipeline.store.upsert import Outcome

Login = Callable[[str], str]

SIGNAL = "INSERT INTO signals (id, source, event_ts) VALUES (gen_random_uuid(), 'web', now())"
UPSERT = f"{SIGNAL} ON CONFLICT (id) DO UPDATE SET event_ts = excluded.event_ts"
ANOMALY = "INSERT INTO anomalies (id, anomaly_type, signal_event_id) SELECT id, 'rule', id FROM signals RETURNING *"
EVENT = "INSERT INTO outbox_events (aggregateid, subject, payload) VALUES ('a', 's', '{}')"
STAMP = "UPDATE outbox_events SET processed_at = now() WHERE id = gen_random_uuid() AND processed_at IS NULL"
WATCH = (
    "SELECT min(created_at), active FROM outbox_events CROSS JOIN slot_lag_stats "
    "WHERE processed_at IS NULL GROUP BY active"
)
USER = "INSERT INTO users (username, password_hash) VALUES ('u', '$argon2id$x')"
JOB = "INSERT INTO replay_jobs (plan, filter, requested_by, total) VALUES ('p', '{}', 'me', 0)"
AUDIT = "SELECT record_audit_run(interval '1 second', 1, 0, '{}')"
GATE = "SELECT id, name, key_hash, scopes, expires_at, revoked_at, last_used_at FROM api_keys"
USE = "UPDATE api_keys SET last_used_at = now() WHERE key_hash = sha256('x')"
ENDED = "SELECT login_has_ended(gen_random_uuid())"
ACCESS_EVENT = "INSERT INTO access_events (kind, actor, subject) VALUES ('login_failed', null, 'u')"
BEAT = "INSERT INTO debezium_heartbeat DEFAULT VALUES"
CREATE = "CREATE TABLE public.mine (id int)"

MAY = {
    "pipeline_processor": [UPSERT, "SELECT * FROM superseded_signals", "SELECT purge_signals(now(), 1)"],
    "pipeline_detector": [UPSERT, ANOMALY, EVENT, "SELECT * FROM superseded_signals"],
    "pipeline_confirmer": [STAMP, "SELECT id FROM outbox_events WHERE processed_at IS NULL FOR UPDATE", WATCH],
    "pipeline_replayer": [
        JOB,
        "UPDATE dead_letters SET status = 'resolved'",
        "SELECT id FROM signals",
        "SELECT ok FROM audit_runs",
        GATE,
        USE,
        ENDED,
    ],
    "pipeline_auth": [USER, "DELETE FROM refresh_tokens", "SELECT * FROM api_keys", ENDED, ACCESS_EVENT],
    "pipeline_access": [USER, "SELECT * FROM api_keys", ACCESS_EVENT, "SELECT * FROM access_events"],
    "pipeline_gate": [GATE, USE, ENDED],
    "pipeline_reader": [
        "SELECT * FROM signals",
        "SELECT * FROM outbox_lag_stats",
        "SELECT * FROM gin_pending_stats",
        "SELECT * FROM slot_lag_stats",
        "SELECT * FROM access_events",
        AUDIT,
    ],
    "pipeline_maintainer": [
        "SELECT purge_signals(now(), 1)",
        "SELECT clean_gin_pending()",
        "SELECT analyze_pipeline()",
        "SELECT purge_access_events(now(), 1)",
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
        AUDIT,
        "SELECT * FROM users",
        "SELECT * FROM refresh_tokens",
        "UPDATE api_keys SET revoked_at = null",
        "SELECT * FROM access_events",
        CREATE,
    ],
    "pipeline_auth": [
        "SELECT * FROM signals",
        "DELETE FROM users",
        "SELECT * FROM dead_letters",
        "SELECT * FROM access_events",
        "UPDATE access_events SET actor = null",
        "DELETE FROM access_events",
        "TRUNCATE access_events",
        "INSERT INTO access_events (at, kind) VALUES (now() - interval '1 day', 'login_failed')",
        "SELECT purge_access_events(now(), 1)",
        CREATE,
    ],
    "pipeline_access": ["DELETE FROM access_events", "DELETE FROM users", "SELECT * FROM signals", SIGNAL, CREATE],
    "pipeline_gate": [
        "SELECT * FROM users",
        "SELECT username FROM users",
        "SELECT family FROM refresh_tokens",
        "SELECT created_at FROM api_keys",
        "UPDATE api_keys SET revoked_at = null",
        "UPDATE api_keys SET scopes = '{admin}'",
        "INSERT INTO api_keys (name, key_hash) VALUES ('x', sha256('x'))",
        "DELETE FROM api_keys",
        "SELECT * FROM access_events",
        ACCESS_EVENT,
        "SELECT * FROM signals",
        SIGNAL,
        CREATE,
    ],
    "pipeline_reader": [
        "SELECT * FROM users",
        "SELECT * FROM refresh_tokens",
        "SELECT * FROM api_keys",
        SIGNAL,
        "DELETE FROM anomalies",
        "SELECT clean_gin_pending()",
        "DELETE FROM audit_runs",
        ACCESS_EVENT,
        "DELETE FROM access_events",
        CREATE,
    ],
    "pipeline_maintainer": [
        "SELECT * FROM access_events",
        "DELETE FROM access_events",
        "SELECT * FROM signals",
        "DELETE FROM signals",
        "SELECT mark_purged('signals', now())",
    ],
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


@pytest.fixture
def login(database_url: str) -> Iterator[Login]:
    """Give the address of the database for a login that is a member of one role."""
    names: list[str] = []

    def create(role: str) -> str:
        names.append(f"test_{role}")
        with psycopg.connect(database_url) as connection:
            connection.execute(f"CREATE ROLE {names[-1]} LOGIN IN ROLE {role}".encode())
        return database_url.replace("postgres:postgres", names[-1])

    yield create
    with psycopg.connect(database_url) as connection:
        for name in names:
            connection.execute(f"DROP ROLE {name}".encode())


async def test_each_role_can_do_its_work(login: Login, make_signal: Any) -> None:
    """The product's own statements run as the roles that they are meant for: store, replace, detect, confirm."""
    processor, detector, confirmer, replayer = (
        Pool(login(f"pipeline_{role}"), application_name=role)
        for role in ("processor", "detector", "confirmer", "replayer")
    )
    signal = make_signal(payload={"data": "99"}, payload_json='{"data": "99"}')
    newer = make_signal(signal.id, minutes=1, extensions_json='{"a": 1}')
    assert (await store_signals(processor, [signal])).outcomes == (Outcome.INSERTED,)
    assert (await store_signals(processor, [newer])).outcomes == (Outcome.UPDATED,)
    stored = await store_anomalies(detector, [Detection(signal=signal, anomalies=anomalies_of(signal))])
    assert stored.signals.outcomes == (Outcome.UNCHANGED,)
    assert len(stored.inserted) == 1
    assert await confirm_outbox(confirmer, [signal.id]) == 0
    version = SignalVersion(id=signal.id, source=signal.source, event_ts=signal.event_ts)
    assert await signals_exist(replayer, [version]) == [True]
    assert await take_due(replayer, 10, signal.event_ts) == []
    for pool in (processor, detector, confirmer, replayer):
        await pool.close()


def test_no_group_role_can_log_in(database_url: str) -> None:
    """The roles of the schema are groups: none can log in, and none is a superuser or creates roles."""
    with psycopg.connect(database_url) as connection:
        rows: list[tuple[Any, ...]] = connection.execute(
            "SELECT rolname FROM pg_roles WHERE rolname LIKE 'pipeline%' "
            "AND (rolcanlogin OR rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls)"
        ).fetchall()
    assert rows == []
