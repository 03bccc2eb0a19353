"""Stamping outbox rows, against PostgreSQL."""

import functools
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from signal_pipeline.domain.failures import Failure
from signal_pipeline.events.envelope import CloudEvent
from signal_pipeline.roles.confirm_outbox import ConfirmOutbox
from signal_pipeline.settings import Settings

_INSERT = "INSERT INTO outbox_events (id, aggregateid, payload, subject) VALUES (%s, 'a', '{}', 's')"


@pytest.fixture
async def role(database_url: str) -> AsyncIterator[ConfirmOutbox]:
    """The role on a database of its own."""
    function = ConfirmOutbox(Settings(_env_file=None, database_url=SecretStr(database_url)), CollectorRegistry())
    yield function
    await function.close()


def published(outbox_id: UUID, *, age: timedelta = timedelta()) -> CloudEvent:
    """Return the anomaly event of an outbox row that was written some time ago."""
    source = "signal-pipeline/detect-anomaly"
    return CloudEvent(id=str(outbox_id), source=source, type="anomaly_detected", time=datetime.now(UTC) - age)


def is_stamped(database_url: str, outbox_id: UUID) -> bool:
    """Tell whether a row is stamped."""
    with psycopg.connect(database_url) as connection:
        statement = "SELECT processed_at IS NOT NULL FROM outbox_events WHERE id = %s"
        row = connection.execute(statement, [outbox_id]).fetchone()
    return bool(row and row[0])


async def test_event_before_its_row_is_tried_again(role: ConfirmOutbox, database_url: str) -> None:
    """While the row's transaction has not ended its event fails for now; after the commit it is stamped."""
    early, other = uuid4(), uuid4()
    with psycopg.connect(database_url) as writer:
        with psycopg.connect(database_url) as neighbour:
            neighbour.execute(_INSERT, [other])
        writer.execute(_INSERT, [early])
        first, second = await role.handle([published(early), published(other)])
        assert isinstance(first, Failure)
        assert first.code == "outbox_row_not_visible"
        assert second is None
    assert is_stamped(database_url, other)
    assert list(await role.handle([published(early)])) == [None]
    assert is_stamped(database_url, early)


async def test_redelivered_event_is_a_success(role: ConfirmOutbox, database_url: str) -> None:
    """An event whose row is stamped already changes nothing and does not fail."""
    outbox_id = uuid4()
    with psycopg.connect(database_url) as writer:
        writer.execute(_INSERT, [outbox_id])
    for _ in range(2):
        assert list(await role.handle([published(outbox_id), published(outbox_id)])) == [None, None]


async def test_old_event_without_a_row_was_purged(role: ConfirmOutbox) -> None:
    """An event older than a minute whose row is gone is done with."""
    assert list(await role.handle([published(uuid4(), age=timedelta(minutes=2))])) == [None]


@pytest.mark.parametrize(
    "data",
    ["x" * 1_000_000, [1e308] * 100, functools.reduce(lambda inner, _: [inner], range(40), [])],
    ids=["larger-than-a-signal", "numbers-written-out", "deeper-than-a-signal"],
)
async def test_any_data_is_confirmed(role: ConfirmOutbox, database_url: str, data: Any) -> None:
    """The event of an anomaly holds a whole signal and more: whatever its data, its row is stamped."""
    outbox_id = uuid4()
    with psycopg.connect(database_url) as connection:
        connection.execute(_INSERT, [outbox_id])
    envelope = {"specversion": "1.0", "id": str(outbox_id), "source": "s", "type": "anomaly_detected", "data": data}
    text = json.dumps([envelope]).replace("1e+308", "1" + 308 * "0")  # as jsonb writes it
    answer = await role.receive([("content-type", "application/cloudevents-batch+json")], text.encode())
    assert answer.status_code == 204
    assert is_stamped(database_url, outbox_id)
