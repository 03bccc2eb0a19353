"""One role as an ASGI application: its events, its own routes, health, readiness and metrics."""

import asyncio
import time
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from signal_pipeline.errors import MethodNotAllowed, NotFound, PipelineError
from signal_pipeline.observability.logs import get_logger
from signal_pipeline.observability.tracing import start_tracing, stop_tracing
from signal_pipeline.serving.access import INTERNAL, KNOWN
from signal_pipeline.serving.answers import json_response, problem_response, problem_response_of
from signal_pipeline.serving.body import read_body
from signal_pipeline.serving.boundary import UNEXPECTED, Boundary
from signal_pipeline.serving.function import Function
from signal_pipeline.serving.headers import SafeHeaders, origins_of
from signal_pipeline.serving.metrics_page import MetricsPage
from signal_pipeline.serving.openapi import openapi_document
from signal_pipeline.serving.refusal_log import RefusalLog

__all__ = ["HEALTH_PATHS", "READY_PATHS", "FunctionApp"]

HEALTH_PATHS: Final = ("/health", "/_/health", "/health/liveness")
READY_PATHS: Final = ("/ready", "/_/ready", "/health/readiness")
_READY_CACHE_SECONDS: Final = 0.5  # probes of several platforms at once cost one look at each dependency
_CHECK_TIMEOUT_SECONDS: Final = 3.0


class FunctionApp:
    """The ASGI application of one role. Clients are made with the first request and closed by `close`.

    Args:
        function: The role.
        page: The role's metrics page; the function's own port serves the same text.
    """

    def __init__(self, function: Function, page: MetricsPage) -> None:
        self._function = function
        self._page = page
        self._log = RefusalLog()
        self._opening = asyncio.Lock()
        self._open = False
        self._looking = asyncio.Lock()
        self._readiness: tuple[float, dict[str, str | None]] = (0.0, {})
        self._app = self._build()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            await self.open()
        except PipelineError as exc:  # such as a metrics port that is taken; served at once when it is free
            await problem_response_of(exc)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def open(self) -> None:
        """Make the role's clients and start its metrics page, once."""
        if self._open:
            return
        async with self._opening:
            if not self._open:
                self._page.start()
                settings = self._function.settings
                start_tracing(service=self._function.name, endpoint=settings.otel_exporter_otlp_endpoint)
                await self._function.open()
                self._open = True
                get_logger().info("function_started")

    async def close(self) -> None:
        """Close what `open` made."""
        if self._open:
            self._open = False
            await self._function.drain()
            await self._function.close()
            await self._function.access.close()
            self._page.stop()
            await asyncio.to_thread(stop_tracing)

    async def ready(self) -> bool:
        """Tell whether every dependency answers; asked too often, it says what it found half a second ago."""
        return not any((await self._checked()).values())

    def _build(self) -> ASGIApp:
        routes = [*self._event_routes(), *self._function.routes(), *self._service_routes()]
        handlers = {HTTPException: _http_error, PipelineError: self._pipeline_error, Exception: _unexpected_error}
        app = Starlette(routes=routes, exception_handlers=handlers)
        # An address is right or wrong; a redirect would make a trigger resend elsewhere.
        app.router.redirect_slashes = False
        paths = [route.path for route in routes if isinstance(route, Route)]
        bound = self._function.settings.max_requests_in_flight
        boundary = Boundary(app, self._function.http_metrics, paths, bound)
        return SafeHeaders(boundary, origins_of(self._function.settings.cors_origins))

    def _event_routes(self) -> list[BaseRoute]:
        receive = self._function.access.guarded(self._receive, self._function.event_rule)
        return [Route(path, receive, methods=["POST"]) for path in self._function.event_paths]

    def _service_routes(self) -> list[BaseRoute]:
        return [
            *(Route(path, self._health) for path in HEALTH_PATHS),
            *(Route(path, self._ready) for path in READY_PATHS),
            Route("/metrics", self._function.access.guarded(self._metrics, INTERNAL)),
            Route("/openapi.json", self._function.access.guarded(self._openapi, KNOWN)),
        ]

    async def _receive(self, request: Request) -> Response:
        body = await read_body(request, self._function.settings.max_body_bytes)
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.scope["headers"]]
        return await self._function.receive(headers, body)

    async def _pipeline_error(self, _: Request, exc: Exception) -> Response:
        if not isinstance(exc, PipelineError):  # Starlette's type of a handler is wider than its registration
            raise exc
        if exc.failure.http_status >= 500:  # noqa: PLR2004 - server errors
            self._log.failed(exc.failure)
        return problem_response_of(exc)

    async def _health(self, _: Request) -> Response:
        return json_response({"status": "ok", "role": self._function.name})

    async def _ready(self, request: Request) -> Response:
        found = await self._checked()
        ready = not any(found.values())
        content: dict[str, Any] = {"status": "ready" if ready else "not ready", "role": self._function.name}
        if await self._function.access.is_known(request):  # a stranger need not learn what we depend on
            content["checks"] = {name: fault or "ok" for name, fault in found.items()}
        return json_response(content, 200 if ready else 503, None if ready else {"Retry-After": "1"})

    async def _checked(self) -> dict[str, str | None]:
        async with self._looking:  # anybody may ask, and a dependency that hangs must not be asked by all of them
            looked_at, found = self._readiness
            if time.monotonic() - looked_at > _READY_CACHE_SECONDS:
                try:
                    found = dict(await asyncio.wait_for(self._function.check(), _CHECK_TIMEOUT_SECONDS))
                except TimeoutError:
                    found = {"dependencies": f"no answer within {_CHECK_TIMEOUT_SECONDS:.0f} s"}
                self._readiness = (time.monotonic(), found)
            return found

    async def _metrics(self, _: Request) -> Response:
        page = await asyncio.to_thread(self._page.render)
        return Response(page, media_type=MetricsPage.content_type)

    async def _openapi(self, _: Request) -> Response:
        return Response(openapi_document(self._function.name), media_type="application/json")


async def _http_error(_: Request, exc: Exception) -> Response:
    """Answer what the router refused."""
    error: PipelineError = NotFound("nothing lives at this address")
    if isinstance(exc, HTTPException) and exc.status_code == 405:  # noqa: PLR2004 - the status is the name
        error = MethodNotAllowed((exc.headers or {}).get("Allow", "POST"))
    return problem_response_of(error)


async def _unexpected_error(_: Request, __: Exception) -> Response:
    """Answer in place of Starlette's own page; Starlette raises the error again, and the boundary logs it."""
    return problem_response(UNEXPECTED)
