"""Maintenance when the schedule asks for it: rows past their age go, and indexes and statistics are kept up.

A forgotten run fills nothing, and queries stay fast though the tables change all the time.
"""

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import timedelta

from prometheus_client import CollectorRegistry
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from signal_pipeline.observability.metrics import RetentionMetrics
from signal_pipeline.serving.access import INTERNAL, Access
from signal_pipeline.serving.answers import json_response
from signal_pipeline.settings import Settings
from signal_pipeline.store.maintenance import Purged, keep_up, purge
from signal_pipeline.store.pool import Pool

__all__ = ["Retention"]


class Retention:
    """The route `POST /purge`. Calling it again, or twice at once, deletes nothing twice.

    Args:
        pool: Connections of the role that hosts the route.
        access: Who may call.
        settings: `retention_seconds` is the age, by time of arrival.
        registry: Where deleted rows are counted.
    """

    def __init__(self, pool: Pool, access: Access, settings: Settings, registry: CollectorRegistry) -> None:
        self._access = access
        self._pool = pool
        self._age = timedelta(seconds=settings.retention_seconds)
        self._metrics = RetentionMetrics(registry)
        for table in fields(Purged):
            self._metrics.purged.labels(table.name)  # a table of which nothing was ever deleted shows as 0

    def routes(self) -> Sequence[BaseRoute]:
        """Return the route."""
        return [Route("/purge", self._access.guarded(self._purge, INTERNAL), methods=["POST"])]

    async def _purge(self, _: Request) -> Response:
        rows = asdict(await purge(self._pool, self._age))
        for table, count in rows.items():
            self._metrics.purged.labels(table).inc(count)
        done = await keep_up(self._pool)
        return json_response({"purged": rows, "older_than_seconds": self._age.total_seconds(), **asdict(done)})
