"""Runs a role: functions-framework's application under uvicorn, with what its command line does not offer.

Where a platform runs functions-framework's own command instead, the connections are that server's: it refuses ambiguous
requests as this one does, but waits for slow clients without end, bounds neither headers nor connections, and tells its
name. There the platform's proxy must do it. Everything behind the connection holds in both.
"""

import asyncio
import os
import ssl
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from signal_pipeline.errors import ConfigurationError
from signal_pipeline.serving.app import FunctionApp
from signal_pipeline.serving.bounds import Bounds
from signal_pipeline.serving.connection import Connection
from signal_pipeline.serving.crowd import Crowd
from signal_pipeline.serving.lifespan import live
from signal_pipeline.settings import Settings
from signal_pipeline.topology import Role

__all__ = ["framework_app", "run", "run_server", "serve", "server_of"]

_DRAIN_SECONDS: Final = 25  # below the 30 s after which a platform kills


def serve(role: Role, app: FunctionApp, settings: Settings, *, port: int) -> None:
    """Serve a role until SIGTERM, then finish the requests in flight and close the clients.

    Raises:
        ConfigurationError: the port cannot be opened, or the function's source is not there.
    """
    run_server(_WithLifespan(framework_app(role.name, role.target), app), role.name, settings, port=port)


def run_server(app: ASGIApp, name: str, settings: Settings, *, port: int) -> None:
    """Serve an application with a lifespan until SIGTERM, then finish the requests in flight.

    Raises:
        ConfigurationError: the port cannot be opened.
    """
    server = server_of(
        app,
        settings,
        port=port,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
        backlog=1024,
        ssl_ca_certs=settings.tls_client_ca_file or None,
        ssl_cert_reqs=ssl.CERT_REQUIRED if settings.tls_client_ca_file else ssl.CERT_NONE,
    )
    run(server, name)


def server_of(app: ASGIApp, settings: Settings, *, port: int, **more: Any) -> uvicorn.Server:
    """Return a server, not yet started, with the patience, the bounds and the silence that all of ours have.

    Args:
        app: What it serves.
        settings: Address, certificate, connections at once.
        port: Where it listens.
        more: What is its own of uvicorn's settings.
    """
    config = uvicorn.Config(
        app,
        host=settings.bind_address,
        port=port,
        loop="uvloop",
        http=_protocol(settings),
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        proxy_headers=False,  # whose word counts about an address is not uvicorn's to decide
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
        ssl_certfile=settings.tls_cert_file or None,
        ssl_keyfile=settings.tls_key_file or None,
        **more,
    )
    return uvicorn.Server(config)


def run(server: uvicorn.Server, name: str) -> None:
    """Serve until SIGTERM; `ConfigurationError` when it could not start."""
    server.run()
    if not server.started:
        raise ConfigurationError(f"{name} could not start; its log names the reason")


def _protocol(settings: Settings) -> type[asyncio.Protocol]:
    """Return what makes the connections of one server; uvicorn only calls it."""
    made = partial(Connection, bounds=Bounds(), crowd=Crowd(settings.max_connections))
    return cast("type[asyncio.Protocol]", made)


def framework_app(name: str, target: str) -> ASGIApp:
    """Return functions-framework's application of a function.

    Args:
        name: Folder of the function under `functions/`; FUNCTION_SOURCE names another file.
        target: Name of the Python function.

    Raises:
        ConfigurationError: the function's source is not there.
    """
    from functions_framework.aio import create_asgi_app  # noqa: PLC0415 - an extra: other platforms bring their own

    source = Path(os.environ.get("FUNCTION_SOURCE") or Path("functions") / name / "main.py")
    if not source.is_file():
        raise ConfigurationError(f"no function at {source}; run from the repository root or set FUNCTION_SOURCE")
    framework: ASGIApp = create_asgi_app(target=target, source=str(source), signature_type="http")  # type: ignore[no-untyped-call]
    return framework


class _WithLifespan:
    """functions-framework's application with a beginning and an end."""

    def __init__(self, framework: ASGIApp, app: FunctionApp) -> None:
        self._framework = framework
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._framework(scope, receive, send)
            return
        await live(receive, send, begin=self._app.open, end=self._app.close)
