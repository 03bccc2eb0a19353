"""What a trigger process runs: a source for each manifest, all of one kind to their owner."""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

import uvloop

from signal_pipeline.observability.logs import get_logger
from signal_pipeline.observability.metrics import DeliveryMetrics, TriggerMetrics
from signal_pipeline.observability.tracing import start_tracing, stop_tracing
from signal_pipeline.settings import Settings
from signal_pipeline.tls import client_context
from signal_pipeline.trigger.kafka_source import KafkaTriggerSource
from signal_pipeline.trigger.manifest import KafkaTrigger, RateTrigger, ScheduleTrigger, Trigger
from signal_pipeline.trigger.rate import RateSource
from signal_pipeline.trigger.schedule import ScheduleSource

__all__ = ["Source", "make_source", "run_sources", "run_until_signal"]


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


async def run_sources(sources: Sequence[Source], stop: asyncio.Event, **told: str) -> None:
    """Run sources together until all of them ended; when one fails, the others are ended with it.

    Args:
        sources: What to run.
        stop: Set to end.
        told: What the log says of each fault beside it.

    Raises:
        ExceptionGroup: the faults; each is logged already.
    """
    try:
        async with asyncio.TaskGroup() as group:
            for one in sources:
                group.create_task(one.run(stop))
    except* Exception as failures:
        for error in failures.exceptions:
            get_logger().error("trigger_failed", **told, detail=repr(error), exc_info=error)
        raise


def run_until_signal(work: Callable[[asyncio.Event], Coroutine[Any, Any, int]], settings: Settings, name: str) -> int:
    """Run the work of a process, with its spans, and return its exit code.

    Args:
        work: Gets what is set when the process is asked to end: SIGTERM, SIGINT.
        settings: Where spans go.
        name: What the process is called there.
    """

    async def main() -> int:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        return await work(stop)

    start_tracing(service=name, endpoint=settings.otel_exporter_otlp_endpoint)
    try:
        return uvloop.run(main())
    finally:
        stop_tracing()
