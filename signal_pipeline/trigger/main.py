"""The trigger process: all sources of one role, their page, and an orderly end on SIGTERM."""

import asyncio
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from prometheus_client import CollectorRegistry

from signal_pipeline.errors import ConfigurationError
from signal_pipeline.observability.logs import get_logger
from signal_pipeline.observability.metrics import DeliveryMetrics, TriggerMetrics, trigger_registry
from signal_pipeline.resources import TRIGGERS
from signal_pipeline.settings import Settings
from signal_pipeline.trigger.manifest import Trigger, load_triggers
from signal_pipeline.trigger.page import TriggerPage
from signal_pipeline.trigger.sources import Source, make_source, run_sources, run_until_signal

__all__ = ["run", "run_triggers"]


def run(role: str, settings: Settings, *, folder: Path = TRIGGERS) -> int:
    """Run the triggers of a role until SIGTERM or SIGINT.

    Returns:
        0 after an orderly end; 1 when a source failed, so that a supervisor starts it again.

    Raises:
        ConfigurationError: the role has no trigger, its manifest is wrong, or its port is taken.
    """
    port = settings.trigger_port(role)
    if port is None:
        raise ConfigurationError(f"the role {role} has no trigger")
    triggers = load_triggers(role, settings, folder=folder)
    return run_until_signal(
        lambda stop: run_triggers(triggers, settings, port=port, stop=stop), settings, f"{role}-trigger"
    )


async def run_triggers(triggers: Sequence[Trigger], settings: Settings, *, port: int, stop: asyncio.Event) -> int:
    """Run triggers and their page until `stop` is set; returns the exit code.

    Args:
        triggers: What to run, one source each.
        settings: Broker, rate, addresses.
        port: Where the page listens.
        stop: Set to end.
    """
    registry = trigger_registry(commit=settings.build)
    metrics = TriggerMetrics(registry)
    deliveries = cache(lambda: DeliveryMetrics(registry))
    sources = [make_source(one, settings, metrics, deliveries) for one in triggers]
    page = _page(registry, sources, settings, port)
    try:
        await page.start()
        metrics.up.set(1)
        get_logger().info("trigger_started", triggers=[one.name for one in triggers], port=port)
        await run_sources(sources, stop)
    except ExceptionGroup:
        return 1
    else:
        return 0
    finally:
        await page.stop()


def _page(registry: CollectorRegistry, sources: Sequence[Source], settings: Settings, port: int) -> TriggerPage:
    async def ready() -> bool:
        return all([await one.ready() for one in sources])

    return TriggerPage(registry, ready, address=settings.metrics_bind_address, port=port)
