"""The sources of one function while they run: started together, drained together."""

import asyncio
from collections.abc import Sequence
from functools import cache

from prometheus_client import CollectorRegistry

from signal_pipeline.observability.metrics import DeliveryMetrics, TriggerMetrics
from signal_pipeline.settings import Settings
from signal_pipeline.trigger.manifest import Trigger
from signal_pipeline.trigger.sources import make_source, run_sources

__all__ = ["RunningFunction"]


class RunningFunction:
    """What calls one function. It begins at once, on the running loop.

    Args:
        name: The function.
        triggers: What to run, one source each.
        settings: Broker, rate, addresses.
        registry: Where its metrics go.

    Attributes:
        name: The function.
        triggers: What runs.
        task: Ends when all sources ended, with the fault when one failed.
    """

    def __init__(self, name: str, triggers: Sequence[Trigger], settings: Settings, registry: CollectorRegistry) -> None:
        self.name = name
        self.triggers = tuple(triggers)
        self._metrics = TriggerMetrics(registry)
        deliveries = cache(lambda: DeliveryMetrics(registry))
        self._sources = [make_source(one, settings, self._metrics, deliveries) for one in triggers]
        self._stop = asyncio.Event()
        self.task = asyncio.create_task(self._run())

    @property
    def stopping(self) -> bool:
        """Whether it was told to end."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Begin to end: what is in flight is finished and committed, and the consumer group is left."""
        self._stop.set()

    async def ready(self) -> bool:
        """Tell whether every source has what it needs."""
        return not self.task.done() and all([await one.ready() for one in self._sources])

    async def _run(self) -> None:
        self._metrics.up.set(1)
        try:
            await run_sources(self._sources, self._stop, function=self.name)
        finally:
            self._metrics.up.set(0)
