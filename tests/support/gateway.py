"""OpenFaaS' gateway as its API is documented, with faas-provider's way of calling functions.

GET  /system/functions          the functions, an array of FunctionStatus; 401 without the login when there is one
POST /function/NAME[/path]      the function's answer; 404 when there is none of that name, 500 with a text when the
                                connection to it fails
"""

import asyncio
import base64
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
from aiohttp import web

__all__ = ["FakeGateway", "Invocation", "basic"]

_OWN_HEADERS: Final = {"host", "content-length", "transfer-encoding", "connection"}


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """A call of a function.

    Attributes:
        function: The function.
        path: What followed its name.
        headers: Header values by name in lower case.
        body: The whole body.
    """

    function: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class FakeGateway:
    """A gateway on a port of its own; use as an async context manager, and stop and start it in between.

    Attributes:
        login: User and password that it demands; None lets everybody ask.
        listing: When set, what it answers instead of its functions.
        held: When set, calls wait until the event is.
        held_questions: When set, questions for the functions wait until the event is.
        invocations: Every call, in order.
        questions: The `Authorization` of each question for the functions, in order.
    """

    login: tuple[str, str] | None = None
    listing: str | None = None
    held: asyncio.Event | None = None
    held_questions: asyncio.Event | None = None
    invocations: list[Invocation] = field(default_factory=list)
    questions: list[str | None] = field(default_factory=list)
    _functions: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)
    _runner: web.AppRunner | None = None
    _port: int = 0

    @property
    def url(self) -> str:
        """Where it listens, the same after a restart."""
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def deploy(self, name: str, url: str, **annotations: str) -> None:
        """Deploy a function or deploy it anew; `__` in an annotation stands for our prefix, `_` for a hyphen."""
        named = {key.replace("__", "signal-pipeline.dev/").replace("_", "-"): text for key, text in annotations.items()}
        self._functions[name] = (url, named)

    def remove(self, name: str) -> None:
        """Remove a function."""
        del self._functions[name]

    async def start(self) -> None:
        """Listen."""
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_get("/system/functions", self._list)
        app.router.add_post("/function/{name}", self._invoke)
        app.router.add_post("/function/{name}/{path:.*}", self._invoke)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Answer nobody any more; calls under way break."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _list(self, request: web.Request) -> web.Response:
        given = request.headers.get("Authorization")
        self.questions.append(given)
        if self.held_questions is not None:
            await self.held_questions.wait()
        if self.login is not None and given != basic(*self.login):
            return web.Response(status=401)
        if self.listing is not None:
            return web.Response(text=self.listing, content_type="application/json")
        return web.json_response([_status(name, annotations) for name, (_, annotations) in self._functions.items()])

    async def _invoke(self, request: web.Request) -> web.Response:
        name, path, body = request.match_info["name"], request.match_info.get("path", ""), await request.read()
        headers = {key.lower(): value for key, value in request.headers.items()}
        self.invocations.append(Invocation(function=name, path=path, headers=headers, body=body))
        if self.held is not None:
            await self.held.wait()
        if name not in self._functions:
            return web.Response(status=404, text=f"Cannot find service: {name}.")
        target = f"{self._functions[name][0].rstrip('/')}/{path}"
        sent = {key: value for key, value in headers.items() if key not in _OWN_HEADERS}
        try:
            async with aiohttp.ClientSession() as session, session.post(target, data=body, headers=sent) as answer:
                kept = {key: text for key in ("Content-Type", "Retry-After") if (text := answer.headers.get(key))}
                return web.Response(status=answer.status, body=await answer.read(), headers=kept)
        except aiohttp.ClientError:
            return web.Response(status=500, text=f"Can't reach service for: {name}.")


def basic(user: str, password: str) -> str:
    """Return the value of `Authorization` for a login (RFC 7617, in UTF-8)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _status(name: str, annotations: dict[str, str]) -> dict[str, Any]:
    return {
        "name": name,
        "image": f"localhost:5000/{name}:1",
        "namespace": "openfaas-fn",
        "envProcess": "",
        "labels": {},
        "annotations": annotations or None,
        "replicas": 1,
        "availableReplicas": 1,
        "invocationCount": 0,
    }
