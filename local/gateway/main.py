"""Serves the gateway: the same server, with the same patience, as the functions have."""

from typing import Final

import uvicorn

from local.gateway.app import Gateway
from local.layout import Layout
from signal_pipeline.serving.server import run, server_of
from signal_pipeline.settings import Settings

__all__ = ["serve", "server_of_gateway"]

_DRAIN_SECONDS: Final = 5  # for requests in flight; logs that are followed would never end by themselves


def serve(settings: Settings, layout: Layout) -> None:
    """Serve until SIGTERM.

    Raises:
        ConfigurationError: it could not start.
    """
    run(server_of_gateway(settings, layout), "the gateway")


def server_of_gateway(settings: Settings, layout: Layout) -> uvicorn.Server:
    """Return the server, not yet started."""
    return server_of(
        Gateway(settings, layout), settings, port=settings.gateway_port, timeout_graceful_shutdown=_DRAIN_SECONDS
    )
