"""The gateway between real connections: a function that does as a test says, and a supervisor that obeys."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from local import control
from local.deployments import Deployments
from local.gateway import calls, queue
from local.gateway.main import server_of
from local.layout import Layout
from local.supervisor import Refused
from signal_pipeline.settings import Settings

DEADLINE = 10.0
ORDER = {"service": "auth", "image": "signal-pipeline:local"}
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
async def _served(settings: Settings, layout: Layout) -> AsyncIterator[str]:
    server = server_of(settings, layout)
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(DEADLINE):
        while not server.started:  # noqa: ASYNC110  uvicorn has no event for it
            await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{settings.gateway_port}"
    server.should_exit = True
    await serving


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


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
        function_url_emit="http://127.0.0.1:9", max_body_bytes=2048, gateway_port=_free_port(),
    )  # fmt: skip
    supervisor = await control.serve(control.listen(layout), found.supervise)
    async with _served(settings, layout) as found.url, aiohttp.ClientSession() as found.client:
        yield found
    supervisor.close()
    await runner.cleanup()


async def _echo(request: web.Request) -> web.StreamResponse:
    told = {
        "method": request.method, "path": request.raw_path, "peer": request.remote,
        "headers": {name.lower(): value for name, value in request.headers.items()},
        "body": (await request.read()).decode(),
    }  # fmt: skip
    return web.json_response(told, status=207, headers={"X-Own": "1", "Connection": "X-Secret", "X-Secret": "2"})


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_a_request_arrives_as_it_was_sent(site: Site, method: str) -> None:
    """Method, path, query, headers and body; the answer's status, headers and body come back."""
    site.answering = _echo
    status, headers, body = await site.call(
        method,
        "/function/auth.openfaas-fn/a%2Fb?x=%41&y",
        data=b"body",
        headers={"X-Mine": "1", "X-Forwarded-For": "6.6.6.6"},
    )
    told = json.loads(body)
    assert (status, told["method"], told["path"], told["body"]) == (207, method, "/a%2Fb?x=%41&y", "body")
    assert (told["headers"]["x-mine"], told["headers"]["x-forwarded-for"]) == ("1", "127.0.0.1")
    assert told["headers"]["x-call-id"] == headers["x-call-id"]
    assert (headers["X-Own"], "X-Secret" in headers) == ("1", False)


async def test_the_gateway_calls_from_an_address_of_its_own(site: Site) -> None:
    """Functions believe what it says about callers, and nobody else on this machine."""
    site.answering = _echo
    _, _, body = await site.call("GET", "/function/auth")
    assert json.loads(body)["peer"] == "127.0.0.80"


async def test_bodies_stream_in_both_directions(site: Site) -> None:
    """A function sees the first part before the second is sent, and its caller the answer to it."""

    async def upper(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        async for part in request.content.iter_any():
            await answer.write(part.upper())
        return answer

    site.answering = upper
    heard = asyncio.Queue[bytes]()

    async def parts() -> AsyncIterator[bytes]:
        for expected in (b"one", b"two", b"three"):
            yield expected
            async with asyncio.timeout(DEADLINE):
                assert await heard.get() == expected.upper()

    assert site.client is not None
    async with site.client.post(site.url + "/function/auth", data=parts()) as answer:
        async for part in answer.content.iter_any():
            heard.put_nowait(part)


async def test_a_caller_who_leaves_ends_the_call(site: Site) -> None:
    """The function is told, and does not work for nobody."""
    began, ended = asyncio.Event(), asyncio.Event()

    async def wait(_: web.Request) -> web.StreamResponse:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    site.answering = wait
    calling = asyncio.create_task(site.call("POST", "/function/auth", data=b"x"))
    async with asyncio.timeout(DEADLINE):
        await began.wait()
        calling.cancel()
        await ended.wait()


async def test_a_caller_who_leaves_in_the_middle_of_its_body_ends_the_call(site: Site) -> None:
    """The function gets no body that looks whole, and the gateway goes on."""
    began, outcome = asyncio.Event(), asyncio.Queue[bool]()

    async def read(request: web.Request) -> web.StreamResponse:
        began.set()
        whole = False
        try:
            await request.read()
            whole = True
        finally:
            outcome.put_nowait(whole)
        return web.Response()

    site.answering = read
    _, writer = await asyncio.open_connection("127.0.0.1", int(site.url.rpartition(":")[2]))
    writer.write(b"POST /function/auth HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf")
    async with asyncio.timeout(DEADLINE):
        await began.wait()
        writer.close()
        assert await outcome.get() is False
    assert (await site.call("GET", "/healthz"))[0] == 200


async def test_a_function_that_ends_in_the_middle_is_told_from_one_that_is_down(site: Site) -> None:
    """502 before its answer began, 503 when nobody listens; an answer that breaks off never looks whole."""

    async def end(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    site.answering = end
    status, headers, body = await site.call("POST", "/function/auth")
    assert (status, body) == (502, b"Can't reach service for: auth.\n")
    assert headers["x-openfaas-internal"] == "gateway"
    status, _, body = await site.call("POST", "/emit")
    assert (status, body) == (503, b"No endpoints available for: emit.\n")

    async def half(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b"half")
        assert request.transport is not None
        request.transport.abort()
        return answer

    site.answering = half
    with pytest.raises(aiohttp.ClientPayloadError):
        await site.call("GET", "/function/auth")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that waits a tenth of a second for an answer."""
    monkeypatch.setattr(calls, "_TIMEOUT", aiohttp.ClientTimeout(total=None, sock_read=0.1))


@pytest.mark.usefixtures("impatient", "site")
async def test_a_function_that_says_nothing_is_given_up(site: Site) -> None:
    """504, as OpenFaaS' own gateway after its upstream timeout."""

    async def wait(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    site.answering = wait
    status, _, body = await site.call("POST", "/function/auth", data=b"x")
    assert (status, body) == (504, b"no answer in time from: auth.\n")


async def test_redirects_and_encodings_are_the_callers(site: Site) -> None:
    """The gateway follows nothing and unpacks nothing."""

    async def redirect(_: web.Request) -> web.StreamResponse:
        return web.Response(
            status=302, body=b"\x1f\x8bnot really", headers={"Location": "/x", "Content-Encoding": "gzip"}
        )

    site.answering = redirect
    call = {"allow_redirects": False}
    async with (
        aiohttp.ClientSession(auto_decompress=False) as client,
        client.get(site.url + "/function/auth", **call) as answer,
    ):
        assert (answer.status, answer.headers["Location"]) == (302, "/x")
        assert await answer.read() == b"\x1f\x8bnot really"


async def test_a_queued_call_has_bounds(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that is too large, a queue that is full and a callback that is no address are refused."""
    release = asyncio.Event()

    async def wait(_: web.Request) -> web.StreamResponse:
        await release.wait()
        return web.Response()

    site.answering = wait
    monkeypatch.setattr(queue, "_MOST_BYTES", 2000)
    assert (await site.call("POST", "/async-function/auth", data=b"x" * 2049))[0] == 413
    assert (await site.call("POST", "/async-function/auth", headers={"X-Callback-Url": "file:///etc/passwd"}))[0] == 400
    assert (await site.call("GET", "/async-function/auth"))[0] == 405
    assert (await site.call("POST", "/async-function/auth.openfaas-fn", data=b"x" * 1500))[0] == 202
    status, headers, _ = await site.call("POST", "/async-function/auth", data=b"x" * 1500)
    assert (status, headers["Retry-After"]) == (503, "1")
    release.set()


async def test_what_is_queued_reaches_function_and_callback(site: Site) -> None:
    """With the caller's headers, but for the callback; the outcome has the function's answer."""
    heard = asyncio.Queue[tuple[dict[str, str], str]]()

    async def answer(request: web.Request) -> web.StreamResponse:
        body = (await request.read()).decode()
        heard.put_nowait(({name.lower(): value for name, value in request.headers.items()}, body))
        return web.Response(status=418, text="short and stout")

    site.answering = answer
    back = {"X-Callback-Url": f"{site.url}/function/auth/back", "X-Mine": "1"}
    status, told, _ = await site.call("POST", "/async-function/auth", data=b"tea", headers=back)
    async with asyncio.timeout(DEADLINE):
        (there, body), (outcome, result) = await heard.get(), await heard.get()
    assert (status, body, there["x-mine"], "x-callback-url" in there) == (202, "tea", "1", False)
    assert (outcome["x-function-status"], outcome["x-function-name"], result) == ("418", "auth", "short and stout")
    assert outcome["x-call-id"] == told["x-call-id"]


async def test_deploy_writes_down_and_restarts(site: Site) -> None:
    """An update restarts the function; a creation after a removal starts it (auth has no trigger to start)."""
    assert (await site.call("PUT", "/system/functions", json={**ORDER, "envVars": {"LOG_LEVEL": "debug"}}))[0] == 202
    assert Deployments(site.layout).environment("auth") == {"LOG_LEVEL": "debug"}
    assert (await site.call("POST", "/system/functions", json=ORDER))[0] == 409
    assert (await site.call("DELETE", "/system/functions", json={"functionName": "auth"}))[0] == 202
    assert Deployments(site.layout).removed_services() == {"auth"}
    assert (await site.call("PUT", "/system/functions", json=ORDER))[0] == 404
    assert (await site.call("POST", "/system/functions", json=ORDER))[0] == 202
    assert site.commands == ["restart auth", "stop auth", "start auth"]


async def test_a_trigger_stops_before_its_function_and_starts_after_it(site: Site) -> None:
    """No event is delivered to what is going away."""
    order = {"service": "emit", "image": "signal-pipeline"}
    await site.call("DELETE", "/system/functions", json={"functionName": "emit"})
    await site.call("POST", "/system/functions", json=order)
    assert site.commands == ["stop emit-trigger", "stop emit", "start emit", "start emit-trigger"]


async def test_a_function_that_does_not_come_up_was_deployed_all_the_same(site: Site) -> None:
    """202 means accepted, as on a platform: list shows that it is not available."""
    site.refusal, site.states["auth"] = "auth did not start", "backoff"
    assert (await site.call("PUT", "/system/functions", json=ORDER))[0] == 202
    _, _, body = await site.call("GET", "/system/function/auth")
    assert (json.loads(body)["replicas"], json.loads(body).get("availableReplicas", 0)) == (1, 0)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/system/functions", b"{", 400),
        ("PUT", "/system/functions", b"[]", 400),
        ("DELETE", "/system/functions", b"{}", 400),
        ("DELETE", "/system/functions", b'{"functionName": "figlet"}', 404),
        ("POST", "/system/functions", b" " * (1024**2 + 1), 413),
        ("POST", "/system/scale-function/auth", b'{"replicas": 2}', 400),
        ("POST", "/system/scale-function/figlet", b'{"replicas": 1}', 404),
        ("GET", "/system/functions?namespace=other", None, 400),
        ("GET", "/system/function/auth?namespace=other", None, 400),
        ("GET", "/system/function/auth?namespace=", None, 200),
        ("GET", "/system/function/figlet", None, 404),
        ("GET", "/system/logs", None, 422),
        ("GET", "/system/logs?name=auth&since=x", None, 422),
        ("GET", "/system/logs?name=figlet", None, 404),
        ("POST", "/system/secrets", b'{"name": "a"}', 501),
        ("PATCH", "/system/functions", None, 405),
        ("GET", "/system/telemetry", None, 404),
        ("GET", "/ui/", None, 404),
        ("GET", "/tick", None, 404),
        ("POST", "/function/figlet", None, 404),
        ("TRACE", "/function/auth", None, 405),
    ],
)
async def test_each_refusal_has_its_status(site: Site, method: str, path: str, body: bytes | None, status: int) -> None:
    """And faas-cli shows its text; nothing was told to the supervisor."""
    found, _, text = await site.call(method, path, data=body)
    assert (found, site.commands) == (status, [])
    assert text


async def test_without_a_supervisor_functions_are_still_called(site: Site) -> None:
    """Only what it alone knows is not known."""
    site.answering = _echo
    (site.layout.run / "control.sock").unlink()
    assert (await site.call("GET", "/function/auth"))[0] == 207
    status, _, body = await site.call("GET", "/system/functions")
    assert (status, b"make up" in body) == (503, True)


async def test_a_follower_that_leaves_is_forgotten(site: Site) -> None:
    """Lines come as they are written; afterwards the gateway answers others as before."""
    log = site.layout.logs / "auth.log"
    log.write_text("one\n")
    assert site.client is not None
    async with asyncio.timeout(DEADLINE), site.client.get(site.url + "/system/logs?name=auth&follow=true") as answer:
        assert json.loads(await answer.content.readline())["text"] == "one"
        with log.open("a") as written:
            written.write("two\n")
        assert json.loads(await answer.content.readline())["text"] == "two"
    with suppress(aiohttp.ClientError):
        assert (await site.call("GET", "/healthz"))[::2] == (200, b"OK")
