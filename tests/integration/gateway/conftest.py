"""A gateway for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from local import control
from local.layout import Layout
from signal_pipeline.settings import Settings
from tests.integration.gateway.site import Site, free_port, served


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """A gateway that serves, its function and its supervisor."""
    layout = Layout(state=tmp_path)
    layout.make()
    found = Site(layout=layout)

    async def answer(request: web.Request) -> web.StreamResponse:
        assert found.answering is not None
        return await found.answering(request)

    function = web.Application(client_max_size=0)
    function.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(function, handler_cancellation=True)
    await runner.setup()
    listener = web.TCPSite(runner, "127.0.0.1", 0)
    await listener.start()
    port = runner.addresses[0][1]
    settings = Settings(
        _env_file=None, state_dir=tmp_path, function_url_auth=f"http://127.0.0.1:{port}",
        function_url_emit="http://127.0.0.1:9", max_body_bytes=2048, gateway_port=free_port(),
    )  # fmt: skip
    supervisor = await control.serve(control.listen(layout), found.supervise)
    async with served(settings, layout) as found.url, aiohttp.ClientSession() as found.client:
        yield found
    supervisor.close()
    await runner.cleanup()
