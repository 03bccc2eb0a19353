"""Each verdict of `doctor`: values in, findings out, the faults one by one."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from math import nan
from typing import Any

import pytest

from signal_pipeline.broker.admin import topic_settings
from signal_pipeline.broker.topic_state import TopicState
from signal_pipeline.commands import doctor_database as database
from signal_pipeline.commands import doctor_kafka as kafka
from signal_pipeline.commands import doctor_parts as parts
from signal_pipeline.commands.doctor_findings import Finding, Level
from signal_pipeline.commands.pages import Answer
from signal_pipeline.store.migrator import ScriptFile
from signal_pipeline.topology import SIGNAL_EVENTS

GIB = 1024**3
NOW = datetime(2026, 1, 2, tzinfo=UTC)
ONCE = ScriptFile(name="0001_a.sql", text="CREATE INDEX a_idx ON a (left(b, 'c'::int));", repeatable=False)
VIEW = ScriptFile(name="views/v.sql", text="CREATE VIEW v AS SELECT 1;", repeatable=True)
APPLIED = {script.name: script.sha256 for script in (ONCE, VIEW)}
WANTED = topic_settings(SIGNAL_EVENTS)
SLOT = {"slot_active": True, "retained_bytes": 1, "headroom_bytes": None, "pending": 0, "oldest_pending_seconds": 0.0}
PUBLISHED = {"inserts_only": True, "tables": ["debezium_heartbeat", "outbox_events"]}
AUDIT = {"finished_at": NOW - timedelta(hours=1), "audited": 5, "missing": 0, "violations": {}, "ok": True}
MEMBER = {"trigger_up": 1.0, "consumer_lag": 3.0, "consumer_lag_seconds": 1.0, "trigger_breaker_open": 0.0}
OTHERS = dict.fromkeys(("detect-anomaly", "replay-dlq", "confirm-outbox"), MEMBER)
CERTIFICATE = "tls_certificate_expiry_timestamp_seconds"
Verdict = Callable[[], Sequence[Finding]]


def topic(partitions: int = SIGNAL_EVENTS.partitions, **changed: str) -> Sequence[Finding]:
    """Judge signal-events with some of its settings changed."""
    settings = WANTED | {name.replace("_", "."): value for name, value in changed.items()}
    return kafka.topic_verdict(
        [TopicState(topic=SIGNAL_EVENTS, partitions=partitions, wanted=WANTED, settings=settings)]
    )


def group(**changed: float) -> Sequence[Finding]:
    """Judge the groups when the page of process-signal says something else."""
    return parts.group_verdict({"process-signal": MEMBER | changed, **OTHERS})


def indexes(rows: int, written: int) -> Sequence[Finding]:
    """Judge the use of indexes of which the first is unused."""
    return database.unused_verdict([{"index_name": f"i{n}", "unused": n == 0} for n in range(rows)], written)


def audit(**changed: Any) -> Sequence[Finding]:
    """Judge an audit that differs from a good one."""
    return database.audit_verdict(AUDIT | changed, NOW)


HEALTHY: dict[str, Verdict] = {
    "python": lambda: parts.python_verdict((3, 11)),
    "ports": lambda: parts.port_verdict({}, 5),
    "readiness": lambda: parts.readiness_verdict({"emit": Answer(status=200, text="{}")}),
    "pages": lambda: parts.page_verdict({"auth": {}, "emit": {"trigger_up": 1.0}}),
    "groups": group,
    "no certificate": lambda: parts.certificate_verdict({"auth": {}, "emit": None}, 0),
    "certificate": lambda: parts.certificate_verdict({"emit": {CERTIFICATE: 14 * 86_400.0}}, 0),
    "disk": lambda: parts.disk_verdict(10 * GIB, 5 * GIB),
    "secrets": lambda: parts.secret_verdict([]),
    "topics": topic,
    "more partitions": lambda: topic(SIGNAL_EVENTS.partitions + 1),
    "connect versions": lambda: kafka.connect_version_verdict("4.3.1", "3.7.0.Final"),
    "connector": lambda: kafka.connector_verdict(["RUNNING", "RUNNING"]),
    "configuration": lambda: kafka.configuration_verdict([]),
    "slot": lambda: kafka.slot_verdict(SLOT),
    "outbox": lambda: kafka.outbox_verdict(SLOT | {"pending": 9, "oldest_pending_seconds": 300}),
    "postgres version": lambda: database.version_verdict(150_000, "15.0"),
    "clock": lambda: database.clock_verdict(10.0, 10.5, 11.0),
    "slightly skewed clock": lambda: database.clock_verdict(10.0, 12.0, 11.0),
    "schema": lambda: database.schema_verdict([ONCE, VIEW], APPLIED),
    "indexes": lambda: database.index_verdict([ONCE, VIEW], ["a_idx", "b_idx"], "psql"),
    "few signals": lambda: indexes(1, 9_999_999),
    "used": lambda: indexes(0, 10_000_000),
    "pending lists": lambda: database.pending_list_verdict([{"index_name": "i", "pending_pages": 512}], "psql"),
    "publication": lambda: database.publication_verdict(PUBLISHED, "psql"),
    "audit": audit,
}

NOT_READY = '{"checks": {"postgres": "no answer within 1.5 s", "kafka": "ok"}}'
CREATE_PUBLICATION = (
    "psql -c 'CREATE PUBLICATION outbox_publication FOR TABLE debezium_heartbeat, outbox_events "
    "WITH (publish = '\"'\"'insert'\"'\"')'"
)
FAULTS: dict[str, tuple[Verdict, Level, str]] = {
    "old python": (
        lambda: parts.python_verdict((3, 10)),
        Level.FAULT,
        "apt-get install python3 && rm -r .venv && make up",
    ),
    "old certificate": (
        lambda: parts.certificate_verdict({"emit": {CERTIFICATE: 14 * 86_400.0}}, 1),
        Level.WARNING,
        "renew TLS_CERT_FILE, then make stop-emit start-emit",
    ),
    "no valid certificate": (
        lambda: parts.certificate_verdict({"emit": {CERTIFICATE: 60.0}}, 60),
        Level.FAULT,
        "renew TLS_CERT_FILE, then make stop-emit start-emit",
    ),
    "one port": (lambda: parts.port_verdict({"redis": "a:1"}, 5), Level.FAULT, "make start-redis"),
    "every port": (lambda: parts.port_verdict({"redis": "a:1"}, 1), Level.FAULT, "make up"),
    "role away": (
        lambda: parts.readiness_verdict({"auth": Answer(status=None, text="x")}),
        Level.FAULT,
        "make start-auth",
    ),
    "role without database": (
        lambda: parts.readiness_verdict({"auth": Answer(status=503, text=NOT_READY)}),
        Level.FAULT,
        "make start-postgres",
    ),
    "another server": (
        lambda: parts.readiness_verdict({"auth": Answer(status=503, text="<html>")}),
        Level.FAULT,
        "make logs-auth",
    ),
    "page away": (lambda: parts.page_verdict({"emit": None}), Level.FAULT, "make start-emit"),
    "trigger away": (lambda: parts.page_verdict({"emit": {"trigger_up": 0.0}}), Level.FAULT, "make start-emit-trigger"),
    "no page of a group": (
        lambda: parts.group_verdict(OTHERS),
        Level.FAULT,
        "make start-process-signal",
    ),
    "no trigger of a group": (lambda: group(trigger_up=0.0), Level.FAULT, "make start-process-signal-trigger"),
    "no member": (lambda: group(consumer_lag=nan), Level.FAULT, "make logs-process-signal-trigger"),
    "old lag": (lambda: group(consumer_lag_seconds=60.1), Level.WARNING, "make logs-process-signal-trigger"),
    "open breaker": (lambda: group(trigger_breaker_open=1.0), Level.WARNING, "make logs-process-signal"),
    "full disk": (
        lambda: parts.disk_verdict(5 * GIB - 1, 5 * GIB),
        Level.FAULT,
        "make clean, or free space, or lower MIN_FREE_DISK_BYTES",
    ),
    "little disk": (
        lambda: parts.disk_verdict(10 * GIB - 1, 5 * GIB),
        Level.WARNING,
        "make clean, or free space, or lower MIN_FREE_DISK_BYTES",
    ),
    "development secrets": (
        lambda: parts.secret_verdict(["EMIT_API_KEY"]),
        Level.HINT,
        "openssl rand -hex 32, for each, into .env",
    ),
    "no topic": (lambda: topic(0), Level.FAULT, ".venv/bin/signal-pipeline topics"),
    "few partitions": (lambda: topic(5), Level.FAULT, ".venv/bin/signal-pipeline topics"),
    "small messages": (lambda: topic(max_message_bytes="9"), Level.FAULT, ".venv/bin/signal-pipeline topics"),
    "other retention": (lambda: topic(retention_ms="9"), Level.WARNING, ".venv/bin/signal-pipeline topics"),
    "old kafka": (lambda: kafka.connect_version_verdict("3.9.0", "3.7.0.Final"), Level.FAULT, "make down up"),
    "old debezium": (lambda: kafka.connect_version_verdict("4.3.1", "2.7.0.Final"), Level.FAULT, "make down up"),
    "no debezium": (lambda: kafka.connect_version_verdict("4.3.1", None), Level.FAULT, "make down up"),
    "no connector": (lambda: kafka.connector_verdict([]), Level.FAULT, "make debezium-config"),
    "no task": (lambda: kafka.connector_verdict(["RUNNING"]), Level.FAULT, "make debezium-config"),
    "failed task": (lambda: kafka.connector_verdict(["RUNNING", "FAILED"]), Level.FAULT, "make debezium-config"),
    "other configuration": (lambda: kafka.configuration_verdict(["tasks.max"]), Level.FAULT, "make debezium-config"),
    "no slot": (
        lambda: kafka.slot_verdict(SLOT | {"slot_active": None}),
        Level.FAULT,
        ".venv/bin/signal-pipeline outbox reconnect",
    ),
    "unread slot": (lambda: kafka.slot_verdict(SLOT | {"slot_active": False}), Level.FAULT, "make debezium-config"),
    "retained log": (
        lambda: kafka.slot_verdict(SLOT | {"retained_bytes": GIB + 1}),
        Level.WARNING,
        "make debezium-config",
    ),
    "nearly lost slot": (
        lambda: kafka.slot_verdict(SLOT | {"headroom_bytes": GIB - 1}),
        Level.WARNING,
        "make debezium-config",
    ),
    "old outbox": (
        lambda: kafka.outbox_verdict(SLOT | {"pending": 1, "oldest_pending_seconds": 300.1}),
        Level.WARNING,
        "make logs-confirm-outbox-trigger",
    ),
    "old postgres": (
        lambda: database.version_verdict(149_999, "14.9"),
        Level.FAULT,
        "apt-get install postgresql && make down up",
    ),
    "fast clock": (lambda: database.clock_verdict(10.0, 12.5, 11.0), Level.WARNING, "timedatectl set-ntp true"),
    "slow clock": (lambda: database.clock_verdict(100.0, 40.0, 101.0), Level.FAULT, "timedatectl set-ntp true"),
    "changed migration": (
        lambda: database.schema_verdict([ONCE, VIEW], APPLIED | {"0001_a.sql": "x"}),
        Level.FAULT,
        "git checkout -- sql/migrations/0001_a.sql",
    ),
    "lost migration": (
        lambda: database.schema_verdict([VIEW], APPLIED),
        Level.FAULT,
        "git checkout -- sql/migrations/0001_a.sql",
    ),
    "new migration": (
        lambda: database.schema_verdict([ONCE, VIEW], {VIEW.name: VIEW.sha256}),
        Level.FAULT,
        ".venv/bin/signal-pipeline migrate",
    ),
    "changed view": (
        lambda: database.schema_verdict([ONCE, VIEW], APPLIED | {"views/v.sql": "x"}),
        Level.FAULT,
        ".venv/bin/signal-pipeline migrate",
    ),
    "no index": (
        lambda: database.index_verdict([ONCE], ["b_idx"], "psql"),
        Level.FAULT,
        "psql -c 'CREATE INDEX a_idx ON a (left(b, '\"'\"'c'\"'\"'::int));'",
    ),
    "unused index": (lambda: indexes(2, 10_000_000), Level.HINT, "make db-stats"),
    "long pending list": (
        lambda: database.pending_list_verdict([{"index_name": "i", "pending_pages": 513}], "psql"),
        Level.WARNING,
        "psql -c 'SELECT * FROM clean_gin_pending()'",
    ),
    "no publication": (lambda: database.publication_verdict(None, "psql"), Level.FAULT, CREATE_PUBLICATION),
    "other tables": (
        lambda: database.publication_verdict(PUBLISHED | {"tables": ["outbox_events"]}, "psql"),
        Level.FAULT,
        "psql -c 'ALTER PUBLICATION outbox_publication SET TABLE debezium_heartbeat, outbox_events'",
    ),
    "other changes": (
        lambda: database.publication_verdict(PUBLISHED | {"inserts_only": False}, "psql"),
        Level.FAULT,
        "psql -c 'ALTER PUBLICATION outbox_publication SET (publish = '\"'\"'insert'\"'\"')'",
    ),
    "never audited": (lambda: database.audit_verdict(None, NOW), Level.HINT, "make verify"),
    "failed audit": (lambda: audit(ok=False, missing=1), Level.FAULT, "make verify"),
    "old audit": (lambda: audit(finished_at=NOW - timedelta(hours=26)), Level.WARNING, "make verify"),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_what_is_well_is_one_line(name: str) -> None:
    """A check that finds nothing wrong says so in one finding, with nothing to do."""
    (found,) = HEALTHY[name]()
    assert (found.level, found.fix) == (Level.OK, "")


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_has_its_level_and_its_command(name: str) -> None:
    """A thing that is wrong is one finding, as bad as it is, with the command that repairs it."""
    verdict, level, fix = FAULTS[name]
    (found,) = verdict()
    assert (found.level, found.fix) == (level, fix)


def test_a_configuration_is_judged_by_names() -> None:
    """The values of the connector's settings may be secret, so only their names are told."""
    (found,) = kafka.configuration_verdict(["database.password", "tasks.max"])
    assert found.what == "differs from the template in database.password, tasks.max"


def test_several_dependencies_are_several_faults() -> None:
    """A role that misses two servers is told once for each of them."""
    text = '{"checks": {"postgres": "a", "kafka": "b"}}'
    found = parts.readiness_verdict({"replay-dlq": Answer(status=503, text=text)})
    assert [each.fix for each in found] == ["make start-postgres", "make start-kafka"]
