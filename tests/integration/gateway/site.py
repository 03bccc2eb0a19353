"""A gateway between real connections: a function that does as a test says, and a supervisor that obeys."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from local.gateway.main import server_of_gateway
from local.layout import Layout
from local.supervisor import Refused
from signal_pipeline.settings import Settings

__all__ = ["DEADLINE", "Site", "echo", "free_port", "served"]

DEADLINE = 10.0
Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Site:
    """A gateway with one function behind it, auth.

    Attributes:
        url: Of the gateway.
        client: Calls it.
        answering: What the function does.
        commands: What the supervisor was told.
        states: What it says of each function.
        refusal: Why it refuses to start anything; empty when it does not.
        layout: Its state folder.
    """

    layout: Layout
    url: str = ""
    client: aiohttp.ClientSession | None = None
    answering: Answering | None = None
    commands: list[str] = field(default_factory=list)
    states: dict[str, str] = field(default_factory=dict)
    refusal: str = ""

    async def call(self, method: str, path: str, **more: Any) -> tuple[int, "aiohttp.typedefs.LooseHeaders", bytes]:
        """Return status, headers and body of an answer."""
        assert self.client is not None
        async with self.client.request(method, URL(self.url + path, encoded=True), **more) as answer:
            return answer.status, answer.headers, await answer.read()

    async def supervise(self, command: str, services: list[str]) -> AsyncIterator[dict[str, Any]]:
        """Do what a supervisor does."""
        names = ["emit", "process-signal", "detect-anomaly", "auth", "replay-dlq", "confirm-outbox"]
        if command == "status":
            for name in names:
                state = self.states.get(name, "ready")
                yield {"kind": "snapshot", "service": name, "state": state, "pid": None, "memory": 0}
            return
        self.commands.append(f"{command} {' '.join(services)}")
        if self.refusal:
            raise Refused(self.refusal)


@asynccontextmanager
async def served(settings: Settings, layout: Layout) -> AsyncIterator[str]:
    """Serve a gateway as its own command does, and lend its address."""
    server = server_of_gateway(settings, layout)
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(DEADLINE):
        while not server.started:  # noqa: ASYNC110  uvicorn has no event for it
            await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{settings.gateway_port}"
    server.should_exit = True
    await serving


def free_port() -> int:
    """Return a port that nobody has."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def echo(request: web.Request) -> web.StreamResponse:
    """Answer with what came, and with headers of which two belong to the connection."""
    told = {
        "method": request.method, "path": request.raw_path, "peer": request.remote,
        "headers": {name.lower(): value for name, value in request.headers.items()},
        "body": (await request.read()).decode(),
    }  # fmt: skip
    return web.json_response(told, status=207, headers={"X-Own": "1", "Connection": "X-Secret", "X-Secret": "2"})
