"""Functions called through the gateway: everything arrives, comes back, and ends as it should."""

import asyncio
import json
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import web

from local.gateway import calls, queue
from tests.integration.gateway.site import DEADLINE, Site, echo


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_a_request_arrives_as_it_was_sent(site: Site, method: str) -> None:
    """Method, path, query, headers and body; the answer's status, headers and body come back."""
    site.answering = echo
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
    site.answering = echo
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


async def test_half_a_call_is_none(site: Site) -> None:
    """A caller who leaves in the middle of a chunked body has called nothing; who comes next is served."""
    bodies = asyncio.Queue[bytes]()

    async def note(request: web.Request) -> web.StreamResponse:
        bodies.put_nowait(await request.read())
        return web.Response()

    site.answering = note
    address = urlsplit(site.url)
    _, writer = await asyncio.open_connection(address.hostname, address.port)
    head = "POST /async-function/auth HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"
    writer.write(head.encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await site.call("POST", "/async-function/auth", data=b"whole"))[0] == 202
    async with asyncio.timeout(DEADLINE):
        assert await bodies.get() == b"whole"


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}])
async def test_callbacks_are_for_whoever_may_manage(site: Site, headers: dict[str, str]) -> None:
    """A callback makes this machine call any address: a page of another origin gets none."""
    asked = {"X-Callback-Url": "http://127.0.0.1:9/", **headers}
    assert (await site.call("POST", "/async-function/auth", headers=asked))[0] == 403


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
