"""The gateway as one ASGI application: functions, the queue, /system.

path ─┬─ of a function ─┬─ removed, or no role ──▶ 404
      │                 ├─ to wait for ──▶ relayed
      │                 └─ not to wait for ──▶ 202
      ├─ /healthz ──▶ 200
      └─ else ──▶ guard ──▶ /system, /metrics, 404
"""

from typing import Final

from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from local.gateway.calls import Calls, origin_of, send_text
from local.gateway.functions import Functions
from local.gateway.guard import Guard
from local.gateway.headers import answer_headers, request_headers
from local.gateway.queue import CallQueue, QueuedCall, is_callback
from local.gateway.routes import Target, target_of
from local.gateway.system import system_app
from local.layout import Layout
from signal_pipeline.observability.metrics.gateway import GatewayMetrics
from signal_pipeline.serving.headers import SafeHeaders
from signal_pipeline.serving.lifespan import live
from signal_pipeline.settings import Settings

__all__ = ["Gateway"]

_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


class Gateway:
    """OpenFaaS' gateway over the processes of one pipeline.

    Args:
        settings: Of the gateway.
        layout: Whose processes.
    """

    def __init__(self, settings: Settings, layout: Layout) -> None:
        metrics = GatewayMetrics()
        self._most_bytes = settings.max_body_bytes
        self._functions = Functions(settings, layout, metrics)
        self._calls = Calls(settings, metrics)
        self._queue = CallQueue(self._calls)
        self._guard = Guard(settings)
        self._own = SafeHeaders(self._answer)
        self._system = system_app(self._functions, metrics, settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or begin and end."""
        if scope["type"] == "lifespan":
            await live(receive, send, begin=self._begin, end=self._end)
            return
        target = target_of(scope["raw_path"].decode("latin-1"))
        if target is None:
            await self._own(scope, receive, send)
            return
        refused = self._refusal(target, scope["method"])
        if refused is not None:
            await send_text(send, *refused, answer_headers([], origin_of(scope)))
        elif target.is_async:
            await self._take(target, scope, receive, send)
        else:
            await self._calls.relay(target, scope, receive, send)

    def _refusal(self, target: Target, method: str) -> tuple[int, str] | None:
        if not self._functions.is_deployed(target.function):
            return 404, f"error finding function {target.named[:100]}"
        if method not in (("POST",) if target.is_async else _METHODS):
            return 405, "Method Not Allowed"
        return None

    async def _take(self, target: Target, scope: Scope, receive: Receive, send: Send) -> None:
        """Put a call into the queue."""
        origin = origin_of(scope)
        headers = request_headers(scope["headers"], origin)
        headers.pop("Content-Length", None)  # the queued body says its own
        callback = headers.pop("X-Callback-Url", "")
        told = answer_headers([], origin)
        if refused := await self._callback_refusal(callback, scope):
            await send_text(send, *refused, told)
            return
        try:
            body = await self._body(receive)
        except ClientDisconnect:
            return  # what is only half there is no call
        if body is None:
            await send_text(send, 413, f"a queued call has at most {self._most_bytes} bytes", told)
            return
        query = scope["query_string"]
        call = QueuedCall(target=target, query=query, headers=headers, body=body, origin=origin, callback=callback)
        if self._queue.put(call):
            await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"0"), *told]})
            await send({"type": "http.response.body"})
        else:
            await send_text(send, 503, "the queue is full", [*told, (b"retry-after", b"1")])

    async def _callback_refusal(self, callback: str, scope: Scope) -> tuple[int, str] | None:
        """Return why a call may not have a callback: it makes this machine call an address of the caller's choice."""
        if not callback:
            return None
        if not is_callback(callback):
            return 400, "X-Callback-Url is no address of http or https"
        refused = await self._guard.refusal(scope)
        return refused and (refused[0], f"X-Callback-Url is for whoever may manage the gateway: {refused[1]}")

    async def _body(self, receive: Receive) -> bytes | None:
        """Return the whole body; None when it is too large; `ClientDisconnect` when it does not come whole."""
        body, more = bytearray(), True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            body += message.get("body", b"")
            if len(body) > self._most_bytes:
                return None
            more = message.get("more_body", False)
        return bytes(body)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/healthz" and scope["method"] in {"GET", "HEAD"}:
            await PlainTextResponse("OK")(scope, receive, send)
            return
        refusal = await self._guard.refusal(scope)
        if refusal is None:
            await self._system(scope, receive, send)
            return
        status, text = refusal
        asks = {"WWW-Authenticate": 'Basic realm="Restricted"'} if status == 401 else {}  # noqa: PLR2004
        await PlainTextResponse(f"{text}\n", status, asks)(scope, receive, send)

    async def _begin(self) -> None:
        await self._calls.open()
        await self._queue.open()

    async def _end(self) -> None:
        await self._queue.close()
        await self._calls.close()
