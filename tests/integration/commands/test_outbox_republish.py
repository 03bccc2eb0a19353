"""Publishing the outbox again, on real Kafka and PostgreSQL."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from signal_pipeline.commands.outbox_republish import republish
from signal_pipeline.errors import DependencyUnavailable
from tests.checker.kafka import read_topic
from tests.checker.model import RawRecord
from tests.integration.commands.conftest import World, event


async def _published(world: World) -> tuple[RawRecord, ...]:
    return await asyncio.to_thread(read_topic, world.settings.kafka_bootstrap_servers, "anomaly-events")


async def test_unconfirmed_rows_are_published_as_they_are(world: World) -> None:
    """Each row without a stamp becomes one event with the row's id, key, payload and attributes; stamped ones none."""
    await world.store(await world.accept([event(number * 10) for number in range(4)]))
    world.run(
        "UPDATE outbox_events SET processed_at = now() WHERE id = (SELECT min(id::text)::uuid FROM outbox_events)"
    )
    wanted = {
        row[0]: row[1:]
        for row in world.run(
            "SELECT id, aggregateid, payload::text, eventtype, subject, specversion, "
            "to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') "
            "FROM outbox_events WHERE processed_at IS NULL"
        )
    }
    assert await asyncio.to_thread(republish, world.settings, older_than=timedelta()) == 3
    found = {}
    for record in await _published(world):
        headers = {name: (value or b"").decode() for name, value in record.headers}
        assert headers["ce_source"] == "signal-pipeline/detect-anomaly"
        assert headers["content-type"] == "application/json"
        found[UUID(headers["ce_id"])] = (
            (record.key or b"").decode(),
            (record.value or b"").decode(),
            *(headers[name] for name in ("ce_type", "ce_subject", "ce_specversion", "ce_time")),
        )
    assert found == wanted


async def test_young_rows_are_left_to_debezium(world: World) -> None:
    """A row that is younger than asked for is on its way, and is not published a second time."""
    await world.store(await world.accept([event(0), event(10)]))
    world.run(
        "UPDATE outbox_events SET created_at = now() - interval '2 minutes' "
        "WHERE id = (SELECT min(id::text)::uuid FROM outbox_events)"
    )
    assert await asyncio.to_thread(republish, world.settings, older_than=timedelta(minutes=1)) == 1


async def test_all_pages_are_published(world: World) -> None:
    """More rows than a page holds are all published, each once, in the order in which they were written."""
    world.run(
        "INSERT INTO outbox_events (aggregateid, payload, subject, created_at) "
        "SELECT n::text, '{}', 'user', now() - interval '1 hour' + n / 1000 * interval '1 s' "
        "FROM generate_series(1, 2500) AS n"
    )
    assert await asyncio.to_thread(republish, world.settings, older_than=timedelta()) == 2500
    keys = [int(record.key or b"") for record in await _published(world)]
    assert sorted(keys) == list(range(1, 2501))


async def test_no_broker_is_said(world: World) -> None:
    """Without a broker nothing counts as published, and the message says what to do."""
    await world.store(await world.accept([event(0)]))
    settings = world.settings.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:9"})
    with pytest.raises(DependencyUnavailable, match="again"):
        await asyncio.to_thread(republish, settings, older_than=timedelta())
