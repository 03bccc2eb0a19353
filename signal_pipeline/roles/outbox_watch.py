"""What confirm-outbox watches beside its events: the outbox, its replication slot, the connector that reads it."""

import asyncio
import math
from collections.abc import Sequence
from typing import Final

from prometheus_client import CollectorRegistry

from signal_pipeline.broker.connector import connector_states
from signal_pipeline.errors import DependencyUnavailable
from signal_pipeline.observability.metrics import OutboxMetrics
from signal_pipeline.serving.observer import Observer
from signal_pipeline.settings import Settings
from signal_pipeline.store.outbox import OutboxState, outbox_state
from signal_pipeline.store.pool import Pool

__all__ = ["OutboxWatch"]

_RUNNING: Final = "RUNNING"


class OutboxWatch:
    """Keeps the gauges of the outbox.

    Args:
        pool: Where the outbox is.
        settings: Where Kafka Connect is.
        registry: Where the gauges are.
    """

    def __init__(self, pool: Pool, settings: Settings, registry: CollectorRegistry) -> None:
        self._pool = pool
        self._settings = settings
        self._metrics = OutboxMetrics(registry)
        self._metrics.forget()
        # Two, because PostgreSQL may be down while Connect answers, and the other way round.
        self._observers = (
            Observer("outbox", look=self._look_at_outbox, forget=self._metrics.forget),
            Observer("connector", look=self._look_at_connector, forget=self._lose_connector),
        )

    def start(self) -> None:
        """Begin to watch."""
        for observer in self._observers:
            observer.start()

    async def stop(self) -> None:
        """End."""
        await asyncio.gather(*(observer.stop() for observer in self._observers))

    async def _look_at_outbox(self) -> None:
        _show(self._metrics, await outbox_state(self._pool))

    async def _look_at_connector(self) -> None:
        states = await asyncio.to_thread(connector_states, self._settings)
        if not _runs(states):
            raise DependencyUnavailable(f"the connector is {', '.join(states) or 'missing'}", code="connector_down")
        self._metrics.connector_up.set(1)

    def _lose_connector(self) -> None:
        self._metrics.connector_up.set(0)


def _runs(states: Sequence[str]) -> bool:
    """Tell whether the connector and at least one task run; a connector whose task failed publishes nothing."""
    return len(states) > 1 and set(states) == {_RUNNING}


def _show(metrics: OutboxMetrics, state: OutboxState) -> None:
    metrics.pending.set(state.pending)
    metrics.oldest_pending.set(state.oldest_pending_seconds)
    metrics.slot_present.set(state.slot_active is not None)
    metrics.slot_active.set(bool(state.slot_active))
    metrics.slot_retained.set(_number(state.retained_bytes))
    metrics.slot_headroom.set(_number(state.headroom_bytes))


def _number(value: int | None) -> float:
    return math.nan if value is None else value
