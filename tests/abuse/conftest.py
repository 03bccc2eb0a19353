"""process-signal on a database of its own, and what became of the events that it was sent."""

import json
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr

from signal_pipeline.observability.metrics import function_registry
from signal_pipeline.roles.process_signal import ProcessSignal
from signal_pipeline.serving.app import FunctionApp
from signal_pipeline.serving.metrics_page import MetricsPage
from signal_pipeline.settings import Settings
from tests.contract.conftest import emit, producer
from tests.integration.conftest import database_url, migrated_template, postgres_server
from tests.integration.roles.conftest import broker, pool, recovery, rejected, site
from tests.support.asgi import call
from tests.support.http import Answer

__all__ = [
    "Stage",
    "broker",
    "database_url",
    "emit",
    "migrated_template",
    "pool",
    "postgres_server",
    "producer",
    "recovery",
    "rejected",
    "site",
]

STRUCTURED = ("content-type", "application/cloudevents+json")
BATCH = ("content-type", "application/cloudevents-batch+json")


class Stage:
    """A role, and its database.

    Args:
        app: process-signal.
        url: Address of the database.
    """

    def __init__(self, app: FunctionApp, url: str) -> None:
        self.app = app
        self._url = url

    async def send(self, *headers: tuple[str, str], body: Any = b"") -> Answer:
        """Post a body; what is no bytes is sent as JSON."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await call(self.app, "POST", "/", headers, raw)

    async def event(self, body: Any) -> Answer:
        """Post one event in structured mode."""
        return await self.send(STRUCTURED, body=body)

    async def batch(self, *events: Any) -> Answer:
        """Post events as a batch."""
        return await self.send(BATCH, body=list(events))

    def rows(self, columns: str = "id") -> list[tuple[Any, ...]]:
        """Return columns of all signals."""
        with psycopg.connect(self._url) as connection:
            return connection.execute(f"SELECT {columns} FROM signals ORDER BY event_ts, id").fetchall()  # type: ignore[arg-type]  # noqa: S608 - the test's own


@pytest.fixture
async def stage(database_url: str) -> AsyncIterator[Stage]:
    """process-signal with empty tables."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("TRUNCATE signals, superseded_signals CASCADE")
    settings = Settings(_env_file=None, database_url=SecretStr(database_url))
    function = ProcessSignal(settings, function_registry("process-signal"))
    app = FunctionApp(function, MetricsPage(function.registry, address="127.0.0.1", port=0))
    yield Stage(app, database_url)
    await app.close()
