"""The connector process: gateway, connector, their page, and an orderly end on SIGTERM."""

import asyncio
from pathlib import Path
from typing import Final

from signal_pipeline.observability.logs import get_logger
from signal_pipeline.observability.metrics import ConnectorMetrics, TriggerMetrics, trigger_registry
from signal_pipeline.observability.metrics.connector import RolePages
from signal_pipeline.resources import TRIGGERS
from signal_pipeline.settings import Settings
from signal_pipeline.trigger.openfaas.connector import Connector
from signal_pipeline.trigger.openfaas.gateway import Gateway
from signal_pipeline.trigger.openfaas.plan import Planner
from signal_pipeline.trigger.page import TriggerPage
from signal_pipeline.trigger.sources import run_until_signal

__all__ = ["CONNECTOR", "run", "run_connector"]

CONNECTOR: Final = "kafka-connector"


def run(settings: Settings, *, port: int, folder: Path = TRIGGERS) -> int:
    """Run the connector until SIGTERM or SIGINT; returns the exit code.

    Raises:
        ConfigurationError: its port is taken, or a certificate cannot be read.
    """
    return run_until_signal(
        lambda stop: run_connector(settings, port=port, folder=folder, stop=stop), settings, CONNECTOR
    )


async def run_connector(settings: Settings, *, port: int, folder: Path, stop: asyncio.Event) -> int:
    """Run the connector and its page until `stop` is set; returns the exit code.

    Args:
        settings: Gateway, broker, addresses.
        port: Where the page listens.
        folder: Where the manifests are.
        stop: Set to end.
    """
    registry = trigger_registry(commit=settings.build)
    pages = RolePages(registry)
    own = TriggerMetrics(pages.add(CONNECTOR))
    async with Gateway(settings) as gateway:
        planner = Planner(settings, folder=folder, address=gateway.address)
        connector = Connector(gateway, planner, settings, ConnectorMetrics(registry), pages)
        page = TriggerPage(registry, connector.ready, address=settings.metrics_bind_address, port=port)
        try:
            await page.start()
            own.up.set(1)
            get_logger().info("connector_started", gateway=settings.openfaas_url, port=port)
            await connector.run(stop)
        finally:
            await page.stop()
    return 0
