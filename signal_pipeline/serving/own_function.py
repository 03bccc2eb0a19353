"""Serves a function that is no role of the pipeline: `functions/<name>/main.py`, as `faas-cli new` leaves it.

It answers every path by itself but for health and readiness, which platforms ask for: it is well while it answers.
"""

import os
from pathlib import Path
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from signal_pipeline.serving.answers import json_response
from signal_pipeline.serving.app import HEALTH_PATHS, READY_PATHS
from signal_pipeline.serving.lifespan import live
from signal_pipeline.serving.server import framework_app, run_server
from signal_pipeline.settings import Settings
from signal_pipeline.topology import role_named

__all__ = ["serve_own_function"]

_PROBES: Final = frozenset((*HEALTH_PATHS, *READY_PATHS))
_TARGET: Final = "handle"
_PORT: Final = 8080


def serve_own_function(name: str, settings: Settings, *, port: int | None) -> None:
    """Serve it until SIGTERM, then finish the requests in flight.

    Args:
        name: Its folder under `functions/`. FUNCTION_SOURCE names another file, FUNCTION_TARGET another function in it.
        settings: Addresses, TLS, bounds of the server.
        port: Where; 8080 without.

    Raises:
        LookupError: there is neither a role nor a function of that name.
        ConfigurationError: the port cannot be opened, or FUNCTION_SOURCE is not there.
    """
    if not os.environ.get("FUNCTION_SOURCE") and not (Path("functions") / name / "main.py").is_file():
        role_named(name)  # says which roles there are
    framework = framework_app(name, os.environ.get("FUNCTION_TARGET") or _TARGET)
    run_server(_WithProbes(framework), name, settings, port=port or _PORT)


class _WithProbes:
    """A function with the answers that platforms expect of it."""

    def __init__(self, framework: ASGIApp) -> None:
        self._framework = framework

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await live(receive, send, begin=_nothing, end=_nothing)
        elif scope["path"] in _PROBES:
            await json_response({"status": "ok"})(scope, receive, send)
        else:
            await self._framework(scope, receive, send)


async def _nothing() -> None:
    """Begin and end: the function makes its clients by itself."""
