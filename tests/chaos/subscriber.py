"""A subscriber that misbehaves: in front of the real function, answering in its place, before or after it did the work.

trigger ──▶ subscriber ──▶ function
               └─ a bad answer, as often as told; then those of the function
"""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web

__all__ = ["MISBEHAVIOURS", "Subscriber"]

Reply = Callable[[web.Request], Awaitable[web.StreamResponse]]
_BODY_BYTES = 16 * 1024 * 1024


def _status(status: int, **headers: str) -> Reply:
    async def reply(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers=headers, text="no")

    return reply


async def _hang(_: web.Request) -> web.StreamResponse:
    """Answer after the trigger has given up."""
    await asyncio.sleep(60)
    return web.Response()


async def _reset(request: web.Request) -> web.StreamResponse:
    """End the connection in the middle of an answer."""
    if request.transport is not None:
        request.transport.write(b"HTTP/1.1 204 No Con")
        request.transport.abort()
    return web.Response()


async def _garbage(request: web.Request) -> web.StreamResponse:
    """Answer with what is not HTTP."""
    if request.transport is not None:
        request.transport.write(b"\x00\xffgarbage\r\n\r\n")
        request.transport.close()
    return web.Response()


async def _lie(_: web.Request) -> web.StreamResponse:
    """Answer with a verdict on events that were not sent."""
    return web.json_response({"results": [{"index": 10**6, "status": 400}]}, status=207)


MISBEHAVIOURS: dict[str, Reply] = {
    "500": _status(500),
    "429": _status(429, **{"Retry-After": "1"}),
    "503": _status(503, **{"Retry-After": "1"}),
    "timeout": _hang,
    "reset": _reset,
    "garbage": _garbage,
    "false-verdict": _lie,
    "307": _status(307, Location="/stranger"),
}


class Subscriber:
    """Use as an asynchronous context manager.

    Args:
        function: Address of the real function.
        reply: The bad answer.
        times: How often it is given.
        works: Whether the function gets the request before the bad answer is given.

    Attributes:
        port: Where it listens.
        misled: Requests that were sent where a redirect pointed.
        left: Bad answers that are still to be given.
    """

    def __init__(self, function: str, reply: Reply, *, times: int, works: bool) -> None:
        self._function = function
        self._reply = reply
        self._works = works
        self.left = times
        self.misled = 0
        self.port = 0

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=_BODY_BYTES)
        app.router.add_post("/", self._serve)
        app.router.add_route("*", "/stranger", self._mislead)
        app.router.add_post("/purge", _status(200))
        self._session = aiohttp.ClientSession()
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self._session.close()
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if self.left and not self._works:
            self.left -= 1
            return await self._reply(request)
        headers = {"Content-Type": request.headers["Content-Type"]}
        async with self._session.post(self._function, data=await request.read(), headers=headers) as answer:
            body = await answer.read()
        if self.left:
            self.left -= 1
            return await self._reply(request)
        return web.Response(status=answer.status, body=body, content_type=answer.content_type)

    async def _mislead(self, _: web.Request) -> web.StreamResponse:
        self.misled += 1
        return web.Response(status=204)
