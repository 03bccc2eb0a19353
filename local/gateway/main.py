"""Serves the gateway: the same server, with the same patience, as the functions have."""

from typing import Final

import uvicorn

from local.gateway.app import Gateway
from local.layout import Layout
from signal_pipeline.errors import ConfigurationError
from signal_pipeline.serving.server import protocol
from signal_pipeline.settings import Settings

__all__ = ["serve", "server_of"]

_DRAIN_SECONDS: Final = 5  # for requests in flight; logs that are followed would never end by themselves


def serve(settings: Settings, layout: Layout) -> None:
    """Serve until SIGTERM.

    Raises:
        ConfigurationError: it could not start.
    """
    server = server_of(settings, layout)
    server.run()
    if not server.started:
        raise ConfigurationError("the gateway could not start; its log names the reason")


def server_of(settings: Settings, layout: Layout) -> uvicorn.Server:
    """Return the server, not yet started."""
    config = uvicorn.Config(
        Gateway(settings, layout),
        host=settings.bind_address,
        port=settings.gateway_port,
        loop="uvloop",
        http=protocol(settings),
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        proxy_headers=False,  # who called is what the connection says
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
        timeout_keep_alive=75,
        ssl_certfile=settings.tls_cert_file or None,
        ssl_keyfile=settings.tls_key_file or None,
    )
    return uvicorn.Server(config)
