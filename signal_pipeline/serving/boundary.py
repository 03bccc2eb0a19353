"""The outermost layer of every function: correlation, measurement, the bound on work in flight, and no leaks.

request ──▶ [correlation id] ──▶ [in flight < bound?] ──no──▶ 429 overloaded
                                        │ yes
                                        ▼
                                     routes ──▶ answer ──▶ [count, time, X-Correlation-Id]
                                        └─ error ──▶ problem+json; anything unforeseen is logged whole, told in brief
"""

import time
from collections.abc import Iterable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from signal_pipeline.domain.failures import Failure, FailureClass
from signal_pipeline.errors import Overloaded, PipelineError
from signal_pipeline.observability.logs import get_logger
from signal_pipeline.observability.metrics import REFUSALS, RequestMetrics
from signal_pipeline.serving.answers import problem_response, problem_response_of
from signal_pipeline.serving.correlation import bind_request

__all__ = ["UNEXPECTED", "Boundary"]

UNEXPECTED: Final = Failure(
    failure_class=FailureClass.UNEXPECTED, code="internal_error", detail="the function failed; see its log"
)


class Boundary:
    """ASGI middleware around a function's routes.

    Args:
        app: The routes.
        metrics: Where requests are counted.
        paths: Known paths: any other is counted as `other`, so that a stranger cannot create time series.
        max_in_flight: Requests answered at once; further ones are told to come back. One that waits for its client's
            bytes is not among them: slow clients must not keep the others out.
    """

    def __init__(self, app: ASGIApp, metrics: RequestMetrics, paths: Iterable[str], max_in_flight: int) -> None:
        self._app = app
        self._metrics = metrics
        self._paths = frozenset(paths)
        self._max_in_flight = max_in_flight
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; other scopes pass."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        correlation_id = bind_request(headers)
        answer = _Answer(send, correlation_id)
        started = time.perf_counter()
        self._work(1)
        try:
            await self._answer(scope, self._outside(receive), answer)
        finally:
            self._work(-1)
            self._count(scope["path"], answer.status, time.perf_counter() - started)

    def _work(self, change: int) -> None:
        self._in_flight += change
        self._metrics.in_flight.set(self._in_flight)

    def _outside(self, receive: Receive) -> Receive:
        """Return the request's `receive`, during which it is not in flight."""

        async def received() -> Message:
            self._work(-1)
            try:
                message = await receive()
            finally:
                self._work(1)
            if self._in_flight > self._max_in_flight and message["type"] == "http.request":
                raise Overloaded("too many requests at once")
            return message

        return received

    async def _answer(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        try:
            if self._in_flight > self._max_in_flight:
                raise Overloaded("too many requests at once")  # noqa: TRY301 - answered like every other error
            await self._app(scope, receive, answer)
        except PipelineError as exc:
            await problem_response_of(exc)(scope, receive, answer)
        except Exception:  # noqa: BLE001 - the last line of defence: logged whole, answered without internals
            get_logger().exception("request_failed", path=scope["path"])
            if answer.status is None:
                await problem_response(UNEXPECTED)(scope, receive, answer)

    def _count(self, path: str, status: int | None, seconds: float) -> None:
        route = path if path in self._paths else "other"
        self._metrics.requests.labels(route, f"{(status or 500) // 100}xx").inc()
        self._metrics.latency.labels(route).observe(seconds)
        if status in REFUSALS:
            self._metrics.refusals.labels(str(status)).inc()


class _Answer:
    """The `send` of one request: notes the status and adds the correlation id."""

    def __init__(self, send: Send, correlation_id: str) -> None:
        self._send = send
        self.correlation_id = correlation_id
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [
                *message.get("headers", []),
                (b"x-correlation-id", self.correlation_id.encode("latin-1")),
            ]
        await self._send(message)
