"""What the tests of the store share: an empty database per test, and samples."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid1

import psycopg
import pytest

from signal_pipeline.domain.signals import Signal
from signal_pipeline.store.pool import Pool

NOON = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)

Rows = list[tuple[Any, ...]]
Fetch = Callable[..., Rows]
MakeSignal = Callable[..., Signal]


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """A pool on a database whose tables are empty."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "TRUNCATE signals, superseded_signals, anomalies, outbox_events, dead_letters, debezium_heartbeat, "
            "purge_marks"
        )
    opened = Pool(database_url, application_name="test", size=8)
    yield opened
    await opened.close()


@pytest.fixture
def fetch(database_url: str) -> Fetch:
    """Run a statement on a connection of its own, and return its rows."""

    def run(statement: str, *parameters: Any) -> Rows:
        with psycopg.connect(database_url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []

    return run


@pytest.fixture
def make_signal() -> MakeSignal:
    """Make a signal: a click of user_1 at noon, with whatever is said differently."""

    def make(signal_id: UUID | None = None, *, minutes: float = 0, **changes: Any) -> Signal:
        values: dict[str, Any] = {
            "id": signal_id or uuid1(),
            "user_id": "user_1",
            "source": "web",
            "type": "click",
            "event_ts": NOON + timedelta(minutes=minutes),
            "payload": None,
            "payload_json": '{"data": "sample_data_42"}',
            "extensions_json": None,
        }
        return Signal(**values | changes)

    return make
