"""What a trigger process runs: a source for each manifest, all of one kind to their owner."""

import asyncio
import signal
from collections.abc import Callable
from typing import Protocol

from signal_pipeline.observability.metrics import DeliveryMetrics, TriggerMetrics
from signal_pipeline.settings import Settings
from signal_pipeline.tls import client_context
from signal_pipeline.trigger.kafka_source import KafkaTriggerSource
from signal_pipeline.trigger.manifest import KafkaTrigger, RateTrigger, ScheduleTrigger, Trigger
from signal_pipeline.trigger.rate import RateSource
from signal_pipeline.trigger.schedule import ScheduleSource

__all__ = ["Source", "make_source", "stop_on_signals"]


class Source(Protocol):
    """Anything that calls a function by itself."""

    async def ready(self) -> bool:
        """Tell whether it has what it needs."""

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then end in order."""


def make_source(
    trigger: Trigger, settings: Settings, metrics: TriggerMetrics, deliveries: Callable[[], DeliveryMetrics]
) -> Source:
    """Return the source of a manifest.

    Args:
        trigger: The manifest.
        settings: Broker, rate, addresses.
        metrics: Counters of every source.
        deliveries: Gives the metrics of what is consumed; called only where something is.
    """
    match trigger:
        case KafkaTrigger():
            return KafkaTriggerSource(trigger, settings, deliveries())
        case RateTrigger():
            return RateSource(trigger, settings, metrics)
        case ScheduleTrigger():
            return ScheduleSource(trigger, metrics, client_context(settings))


def stop_on_signals() -> asyncio.Event:
    """Return what is set when the process is asked to end: SIGTERM, SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop
