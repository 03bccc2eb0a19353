"""process-signal: stores signals, each exactly once in effect.

events ──▶ signals ──▶ one upsert ──▶ a verdict each
   └─ no signal: invalid        └─ refused by SQL, or another source's id: rejected
"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import ClassVar

from prometheus_client import CollectorRegistry
from starlette.routing import BaseRoute

from signal_pipeline.domain.failures import Failure
from signal_pipeline.domain.signals import Signal, signal_of
from signal_pipeline.events.envelope import CloudEvent
from signal_pipeline.observability.metrics import ProcessMetrics
from signal_pipeline.roles.database import DatabaseFunction
from signal_pipeline.roles.retention import Retention
from signal_pipeline.settings import Settings
from signal_pipeline.store.errors import StoreError
from signal_pipeline.store.signals import store_signals
from signal_pipeline.store.upsert import Outcome, StoredSignals

__all__ = ["ProcessSignal"]


class ProcessSignal(DatabaseFunction):
    """The role process-signal."""

    name: ClassVar[str] = "process-signal"

    def __init__(self, settings: Settings, registry: CollectorRegistry) -> None:
        super().__init__(settings, registry)
        self._metrics = ProcessMetrics(registry)
        for outcome in Outcome:
            self._metrics.outcomes.labels(outcome.value)  # what never happened shows as 0
        self._retention = Retention(self.pool, self.access, settings, registry)

    def routes(self) -> Sequence[BaseRoute]:
        """Return the route by which the schedule deletes old rows."""
        return self._retention.routes()

    async def handle(self, events: Sequence[CloudEvent]) -> Sequence[Failure | None]:
        """Store the events that are signals; raises `StoreError` when none could be stored."""
        now = datetime.now(UTC)
        decided = [signal_of(event, accepted_at=now) for event in events]
        signals = [signal for signal in decided if isinstance(signal, Signal)]
        stored = await self._store(signals)
        self._observe(signals, stored)
        failures = iter([stored.failures.get(index) for index in range(len(signals))])
        return [verdict if isinstance(verdict, Failure) else next(failures) for verdict in decided]

    async def _store(self, signals: Sequence[Signal]) -> StoredSignals:
        started = time.perf_counter()
        try:
            stored = await store_signals(self.pool, signals)
        except StoreError:
            self._metrics.write_failures.inc()
            raise
        self._metrics.latency.observe(time.perf_counter() - started)
        return stored

    def _observe(self, signals: Sequence[Signal], stored: StoredSignals) -> None:
        self._metrics.consumed.inc(len(signals) - len(stored.failures))
        for outcome in Outcome:
            self._metrics.outcomes.labels(outcome.value).inc(stored.count(outcome))
        durable = [signal.event_ts for index, signal in enumerate(signals) if index not in stored.failures]
        if durable:  # looked at when the rows are there: the wait for the database is part of it
            self._metrics.age.observe(max((datetime.now(UTC) - min(durable)).total_seconds(), 0))
