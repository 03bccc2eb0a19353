"""A proxy that treats requests as of-watchdog does in its mode http: every method and path, headers kept."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from aiohttp import web

__all__ = ["watchdog"]

_START_SECONDS = 20
# Headers of one connection, which a proxy writes anew.
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer", "content-length"})


@contextmanager
def watchdog(port: int, upstream: int) -> Iterator[None]:
    """Forward from one port of this machine to another, in a thread."""
    started = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(_serve(port, upstream, started, stop),))
    thread.start()
    assert started.wait(_START_SECONDS)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


async def _serve(port: int, upstream: int, started: threading.Event, stop: asyncio.Event) -> None:
    async with aiohttp.ClientSession(auto_decompress=False) as session:

        async def forward(request: web.Request) -> web.Response:
            async with session.request(
                request.method,
                f"http://127.0.0.1:{upstream}{request.raw_path}",
                headers=[(name, value) for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP],
                data=await request.read(),
                allow_redirects=False,
            ) as answer:
                kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP]
                return web.Response(status=answer.status, headers=kept, body=await answer.read())

        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", forward)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        started.set()
        await stop.wait()
        await runner.cleanup()
