"""A role as a Knative function: what func's Python middleware (func-python 0.8) calls.

    func-python  new() ──▶ start ──▶ handle, handle, … ──▶ stop
                             │         alive, ready: what /health/liveness and /health/readiness answer
                             └─ one task: opens clients, looks at dependencies, closes the clients when cancelled

The middleware calls `start`, `stop`, `alive` and `ready` without awaiting them, from within its loop. It ends the loop
right behind `stop`; `asyncio.run` then cancels the task, once, and waits for it: so that is where the clients are
closed. Cancelled by `stop` as well, it would be cancelled a second time in the middle of closing.

Its server, hypercorn, has limits of its own: it waits 3 s for requests in flight, and what `Bounds` says about slow
clients and long headers is left to the platform's proxy. Everything behind the connection holds.
"""

import asyncio
from collections.abc import Mapping
from typing import Final, Protocol, cast

from starlette.types import Message, Receive, Scope, Send

from signal_pipeline.errors import PipelineError
from signal_pipeline.observability.logs import get_logger
from signal_pipeline.serving.app import FunctionApp
from signal_pipeline.serving.func_events import request_of

__all__ = ["FuncInstance"]

_LOOK_SECONDS: Final = 1.0  # how old the answer of `ready` may be: probes come every few seconds


class _EventSender(Protocol):
    """What `invoke: cloudevent` makes of an ASGI `send`."""

    async def http(self, message: Message) -> None:
        """Send a plain ASGI message."""


class FuncInstance:
    """One function of a process, as `new()` returns it.

    Args:
        app: The role's application.
    """

    def __init__(self, app: FunctionApp) -> None:
        self._app = app
        self._ready = False
        self._fault = ""
        self._life: asyncio.Task[None] | None = None

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, as everywhere else; with `invoke: cloudevent` what the middleware read is read again."""
        if "event" in scope:
            scope, receive = request_of(scope, receive)
            send = cast("_EventSender", send).http
        await self._app(scope, receive, send)

    def start(self, _: Mapping[str, str]) -> None:
        """Begin; the settings come from the environment, which is what the middleware hands over."""
        self._life = asyncio.get_running_loop().create_task(self._live())

    def stop(self) -> None:
        """Be about to end: the loop's end cancels what `start` began, which closes the clients."""
        self._ready = False

    def alive(self) -> tuple[bool, str]:
        """Tell whether the process serves."""
        return True, "OK"

    def ready(self) -> tuple[bool, str]:
        """Tell whether its dependencies answered when it last looked."""
        return self._ready, "OK" if self._ready else "a dependency does not answer"

    async def _live(self) -> None:
        try:
            while True:
                self._ready = await self._look()
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            await self._app.close()

    async def _look(self) -> bool:
        try:
            await self._app.open()
            return await self._app.ready()
        except PipelineError as exc:  # such as a metrics port that is taken; looked at again
            if str(exc) != self._fault:
                self._fault = str(exc)
                get_logger().warning("function_not_ready", detail=self._fault)
            return False
