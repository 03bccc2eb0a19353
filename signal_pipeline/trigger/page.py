"""The trigger's own page: metrics, liveness, readiness."""

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from signal_pipeline.errors import ConfigurationError

__all__ = ["TriggerPage"]

_HEALTH: Final = ("/health", "/_/health", "/health/liveness")
_READY: Final = ("/ready", "/_/ready", "/health/readiness")


class TriggerPage:
    """Serves `/metrics`, `/health` and `/ready` on the loop of the trigger: if it answers, the loop turns.

    Args:
        registry: The trigger's metrics.
        ready: Tells whether every source is ready.
        address: Where to listen.
        port: Where to listen.
    """

    def __init__(
        self, registry: CollectorRegistry, ready: Callable[[], Awaitable[bool]], *, address: str, port: int
    ) -> None:
        self._registry = registry
        self._ready = ready
        self._address = address
        self._port = port
        app = web.Application()
        app.add_routes(
            [
                web.get("/metrics", self._metrics),
                *(web.get(path, self._health) for path in _HEALTH),
                *(web.get(path, self._readiness) for path in _READY),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None)

    async def start(self) -> None:
        """Listen; `ConfigurationError` when the port is taken."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._address, self._port).start()
        except OSError as exc:
            raise ConfigurationError(f"the trigger's port {self._port} cannot be opened: {exc.strerror}") from exc

    async def stop(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._registry), headers={"content-type": CONTENT_TYPE_LATEST})

    async def _health(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _readiness(self, _request: web.Request) -> web.Response:
        if await self._ready():
            return web.json_response({"status": "ready"})
        return web.json_response({"status": "not ready"}, status=503, headers={"Retry-After": "1"})
