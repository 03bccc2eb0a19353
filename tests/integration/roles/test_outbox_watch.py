"""What confirm-outbox shows of the outbox and its slot, against PostgreSQL."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import psycopg
import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from signal_pipeline.roles.outbox_watch import OutboxWatch
from signal_pipeline.settings import Settings
from signal_pipeline.store.pool import Pool
from tests.support.waiting import wait_for

_INSERT = (
    "INSERT INTO outbox_events (id, aggregateid, payload, subject, created_at) "
    "VALUES (%s, 'a', '{}', 's', now() - interval '90 seconds')"
)
Show = Callable[[str], float]


@pytest.fixture
def registry() -> CollectorRegistry:
    """A registry of this test alone."""
    return CollectorRegistry()


@pytest.fixture
def show(registry: CollectorRegistry) -> Show:
    """Return what a gauge shows."""

    def shown(name: str) -> float:
        value = registry.get_sample_value(name)
        assert value is not None
        return value

    return shown


@pytest.fixture
async def watch(database_url: str, registry: CollectorRegistry) -> AsyncIterator[OutboxWatch]:
    """A watch on a database with two rows that wait, the older for 90 seconds."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("TRUNCATE outbox_events")
        for _ in range(2):
            connection.execute(_INSERT, [uuid4()])
    settings = Settings(_env_file=None, connect_url="http://127.0.0.1:1", database_url=SecretStr(database_url))
    pool = Pool(database_url, application_name="test")
    watch = OutboxWatch(pool, settings, registry)
    yield watch
    await watch.stop()
    await pool.close()


async def seen(condition: Callable[[], bool]) -> None:
    """Wait until a look has shown it."""
    await asyncio.to_thread(wait_for, condition, seconds=20, what="a look that shows it")


def test_nothing_is_known_before_the_first_look(watch: OutboxWatch, show: Show) -> None:
    """A function that has just started shows no number, not zero."""
    assert watch is not None
    assert math.isnan(show("outbox_pending_events"))
    assert math.isnan(show("replication_slot_present"))


async def test_what_waits_is_counted_and_aged(watch: OutboxWatch, show: Show) -> None:
    """The rows that nobody confirmed are counted, and the oldest is as old as it is."""
    watch.start()
    await seen(lambda: show("outbox_pending_events") == 2)
    assert 90 <= show("outbox_oldest_pending_seconds") < 150


async def test_a_missing_slot_shows(watch: OutboxWatch, show: Show) -> None:
    """Without its slot, as here, the outbox cannot be published: that is 0, and what it retains is unknown."""
    watch.start()
    await seen(lambda: show("replication_slot_present") == 0)
    assert show("replication_slot_active") == 0
    assert math.isnan(show("replication_slot_retained_bytes"))


async def test_a_silent_connect_is_a_connector_that_is_down(watch: OutboxWatch, show: Show) -> None:
    """Whether the connector failed or Connect is gone: nothing is published, so the gauge shows 0."""
    watch.start()
    await seen(lambda: show("outbox_pending_events") == 2)
    assert show("connector_up") == 0
