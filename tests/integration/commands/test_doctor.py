"""`doctor` on real Kafka and PostgreSQL: each thing that is broken is found, and nothing else."""

import asyncio
from collections.abc import Iterator, Sequence

import pytest
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from signal_pipeline.broker.admin import apply_topics
from signal_pipeline.commands.doctor_database import DATABASE_CHECKS
from signal_pipeline.commands.doctor_findings import Finding, Level, examine
from signal_pipeline.commands.doctor_kafka import KAFKA_CHECKS
from signal_pipeline.topology import QUARANTINE
from tests.integration.commands.conftest import World
from tests.integration.conftest import PostgresServer

CHECKS = (*DATABASE_CHECKS, *(each for each in KAFKA_CHECKS if each.needs != "connect"))
SECONDS = 12.0


@pytest.fixture
def database_url(postgres_server: PostgresServer, migrated_template: str) -> Iterator[str]:
    """A database for each test, because each breaks it."""
    with postgres_server.database(migrated_template) as url:
        yield url


async def faults(world: World) -> dict[str, Sequence[Finding]]:
    """Return the faults and warnings by check; there is no slot in these databases, which is one of its own."""
    found = await asyncio.to_thread(examine, CHECKS, world.settings, seconds=SECONDS)
    bad = {name: [each for each in all_ if each.level in {Level.WARNING, Level.FAULT}] for name, all_ in found.items()}
    assert [each.what for each in bad.pop("replication slot")] == ["slot outbox_slot is missing"]
    return {name: each for name, each in bad.items() if each}


async def test_a_whole_database_has_no_fault(world: World) -> None:
    """What migrations and topics made passes every check but that of the slot."""
    assert await faults(world) == {}


@pytest.mark.parametrize(
    ("breaking", "check", "what"),
    [
        pytest.param(
            "DROP INDEX outbox_events_pending_idx",
            "indexes",
            "index outbox_events_pending_idx is missing",
            id="index-dropped",
        ),
        pytest.param(
            "DELETE FROM schema_migrations WHERE name = '0010_replay_rate.sql'",
            "schema",
            "0010_replay_rate.sql is not applied",
            id="migration-not-applied",
        ),
        pytest.param(
            "UPDATE schema_migrations SET sha256 = repeat('0', 64) WHERE name = '0001_signals.sql'",
            "schema",
            "migration 0001_signals.sql was changed after it was applied",
            id="file-changed",
        ),
        pytest.param(
            "DROP PUBLICATION outbox_publication",
            "publication",
            "publication outbox_publication is missing",
            id="publication-dropped",
        ),
        pytest.param(
            "ALTER PUBLICATION outbox_publication SET (publish = 'insert, delete')",
            "publication",
            "it publishes other changes than inserts alone",
            id="deletes-published",
        ),
        pytest.param(
            "INSERT INTO outbox_events (aggregateid, subject, payload, created_at)"
            " VALUES ('a', 'user', '{}', now() - interval '10 minutes')",
            "outbox",
            "1 rows wait, the oldest for 10 min 0 s",
            id="outbox-waits",
        ),
    ],
)
async def test_what_is_broken_in_the_database_is_named(world: World, breaking: str, check: str, what: str) -> None:
    """One thing is broken: its check says so, and no other check does."""
    world.run(breaking)
    found = await faults(world)
    assert {name: [each.what for each in all_] for name, all_ in found.items()} == {check: [what]}


async def test_a_topic_s_setting_that_differs_is_named(world: World) -> None:
    """A topic that takes smaller messages than the functions accept is a fault."""
    change = ConfigEntry("max.message.bytes", "1000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, QUARANTINE.name, incremental_configs=[change])
    admin = world.kafka.admin()  # kept until the answer is there
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(timeout=SECONDS)
    try:
        found = await faults(world)
    finally:
        apply_topics(world.settings)
    told = f"{QUARANTINE.name} has max.message.bytes 1000 instead of {QUARANTINE.max_message_bytes}"
    assert {name: [each.what for each in all_] for name, all_ in found.items()} == {"topics": [told]}
