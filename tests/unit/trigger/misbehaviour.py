"""Ways in which a function misbehaves, as the fake subscriber plays them."""

import asyncio

from aiohttp import web

NAMES = [f"e{number}" for number in range(20)]


async def unavailable(_: list[str]) -> web.StreamResponse:
    """Answer that a dependency is down."""
    return web.Response(status=503, headers={"Retry-After": "0"})


async def limited(_: list[str]) -> web.StreamResponse:
    """Answer that there are too many requests."""
    return web.Response(status=429)


async def redirect(_: list[str]) -> web.StreamResponse:
    """Answer with another address, where a stranger would say that all is well."""
    return web.Response(status=307, headers={"Location": "/stranger"})


async def absent(_: list[str]) -> web.StreamResponse:
    """Answer that there is nothing here."""
    return web.Response(status=404)


async def unauthorized(_: list[str]) -> web.StreamResponse:
    """Answer that the token is wrong."""
    return web.Response(status=401)


async def hang(_: list[str]) -> web.StreamResponse:
    """Answer long after the trigger's timeout."""
    await asyncio.sleep(30)
    return web.Response()
