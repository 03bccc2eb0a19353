"""Row 24: clients that are slow, silent or many take nothing from the others."""

import asyncio
import select
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import ClassVar

import pytest
import uvicorn
from prometheus_client import CollectorRegistry
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from signal_pipeline.serving.app import FunctionApp
from signal_pipeline.serving.body import read_body
from signal_pipeline.serving.bounds import Bounds
from signal_pipeline.serving.connection import Connection
from signal_pipeline.serving.crowd import Crowd
from signal_pipeline.serving.function import Function
from signal_pipeline.serving.metrics_page import MetricsPage
from signal_pipeline.serving.server import _WithLifespan
from signal_pipeline.settings import Settings
from tests.abuse.sockets import answers, connected, exchange, statuses
from tests.contract.client import Site, free_port

# As in production, but for patience: a test waits for each of these once.
IMPATIENT = Bounds(head_seconds=0.3, body_seconds=0.3, body_bytes=100, drain_seconds=0.5, drain_bytes=8 * 1024**2)
MOST_CONNECTIONS = 20
HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /takes HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"


class Taker(Function):
    """A role with a route that reads 1 KiB, one that refuses unread, and one that waits."""

    name: ClassVar[str] = "process-signal"

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, CollectorRegistry())
        self.gate = asyncio.Event()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.waiting = threading.Semaphore(0)

    async def open(self) -> None:
        """Remember the loop: tests open the gate from another thread."""
        self.loop = asyncio.get_running_loop()

    def let_go(self) -> None:
        """Open the gate."""
        assert self.loop is not None
        self.loop.call_soon_threadsafe(self.gate.set)

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes."""
        return [
            Route("/takes", self._takes, methods=["POST"]),
            Route("/refuses", self._refuses, methods=["POST"]),
            Route("/waits", self._waits, methods=["POST"]),
        ]

    async def _takes(self, request: Request) -> Response:
        return Response(str(len(await read_body(request, 1024))))

    async def _refuses(self, _: Request) -> Response:
        return Response(status_code=403)

    async def _waits(self, _: Request) -> Response:
        self.waiting.release()
        await self.gate.wait()
        return Response("waited")


@pytest.fixture
def role() -> Taker:
    """The role behind the server."""
    return Taker(Settings(_env_file=None, process_signal_port=free_port(), max_requests_in_flight=2))


@pytest.fixture
def bounds() -> Bounds:
    """How patient the server is; a test may say otherwise."""
    return IMPATIENT


@pytest.fixture
def site(role: Taker, bounds: Bounds) -> Iterator[Site]:
    """An impatient server."""
    app = FunctionApp(role, MetricsPage(role.registry, address="127.0.0.1", port=0))
    port = role.settings.port(role.name)
    protocol = partial(Connection, bounds=bounds, crowd=Crowd(MOST_CONNECTIONS))
    config = uvicorn.Config(
        _WithLifespan(app, app),
        host="127.0.0.1",
        port=port,
        http=protocol,  # type: ignore[arg-type]
        ws="none",
        lifespan="on",
        log_level="error",
        loop="uvloop",
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert not thread.join(0)
    while not server.started:
        threading.Event().wait(0.01)
    try:
        yield Site(role=role.name, port=port, metrics_port=0)
    finally:
        server.should_exit = True
        thread.join(30)


@pytest.mark.parametrize("said", [b"GET /health HTTP/1.1\r\nHost: x\r\n", b"G", b"GET /health HTTP/1.1\r\nX-A: a"])
def test_row_24_a_head_that_does_not_end(site: Site, said: bytes) -> None:
    """Headers that are not complete in time are answered 408, and the connection closes."""
    found = exchange(site.port, said)
    assert statuses(found) == [408]
    assert b"connection: close" in found.lower()
    assert b'"code":"too_slow"' in found


@pytest.mark.parametrize("said", [b"", b"\r\n", HEALTH + b"\r\n"])
def test_row_24_a_client_that_says_nothing(site: Site, said: bytes) -> None:
    """A connection without a request closes by itself, and so does an idle one that sends only empty lines."""
    assert statuses(exchange(site.port, said)) == ([200] if HEALTH in said else [])


def test_row_24_a_body_that_does_not_come(site: Site) -> None:
    """A body of which too little comes within the span is answered 408, and the function's work on it ends."""
    found = exchange(site.port, POST % 1000 + b"x" * 10)
    assert statuses(found) == [408]


def test_row_24_a_slow_but_steady_body_is_taken(site: Site) -> None:
    """A body that comes slower than others, yet steadily, over several spans, is read to its end."""
    with connected(site.port) as connection:
        connection.sendall(POST % 800)
        for _ in range(8):
            connection.sendall(b"x" * 100)
            threading.Event().wait(0.1)  # what is measured is time: 800 bytes in 0.8 s, where 0.3 s is the span
        connection.shutdown(socket.SHUT_WR)
        found = answers(connection)
    assert (statuses(found), found[-3:]) == ([200], b"800")


def test_row_24_slow_bodies_keep_nobody_out(site: Site) -> None:
    """While more slow bodies are on their way than requests may be in flight, another client is served."""
    slow = [socket.create_connection(("127.0.0.1", site.port), timeout=20) for _ in range(6)]
    try:
        for each in slow:
            each.sendall(POST % 1000 + b"x" * 10)
        assert site.get("/health").status == 200
        assert site.post("/takes", body=b"abc").status == 200
    finally:
        for each in slow:
            each.close()


def test_row_24_work_in_flight_is_bounded_after_the_body(site: Site, role: Taker) -> None:
    """A request whose body is whole while enough others are being answered is told to come back."""
    with connected(site.port) as late:
        late.sendall(POST % 3 + b"ab")
        assert site.get("/health").status == 200  # it is not in flight yet
        busy = [threading.Thread(target=site.post, args=("/waits",)) for _ in range(2)]
        for each in busy:
            each.start()
        for _ in busy:
            assert role.waiting.acquire(timeout=10)
        late.sendall(b"c")
        late.shutdown(socket.SHUT_WR)
        assert statuses(answers(late)) == [429]
    role.let_go()
    for each in busy:
        each.join(20)


@pytest.mark.parametrize("bounds", [Bounds()])  # of the usual patience: it is their number that ends them
def test_row_24_many_connections(site: Site, role: Taker) -> None:
    """Among hundreds of silent connections each new client is served, and a request that runs is not disturbed."""
    waited: list[int] = []
    running = threading.Thread(target=lambda: waited.append(site.post("/waits").status))
    running.start()
    assert role.waiting.acquire(timeout=10)
    silent: list[socket.socket] = []
    try:
        for number in range(10 * MOST_CONNECTIONS):
            silent.append(socket.create_connection(("127.0.0.1", site.port), timeout=20))
            if number % 20 == 0:
                assert site.get("/health").status == 200
        assert site.get("/health").status == 200  # so all of them were taken in
        readable, _, _ = select.select(silent, [], [], 0)  # those that were closed
        assert len(silent) - len(readable) <= MOST_CONNECTIONS
    finally:
        role.let_go()
        for each in silent:
            each.close()
    running.join(20)
    assert waited == [200]


@pytest.mark.parametrize("path", ["/takes", "/refuses"])
@pytest.mark.parametrize("closing", ["", "Connection: close\r\n"])
@pytest.mark.parametrize("chunked", ["", "chunked"])
def test_row_22_a_client_that_is_still_sending_reads_the_answer(
    site: Site, path: str, closing: str, chunked: str
) -> None:
    """Whoever sends a body of 4 MiB without looking reads the refusal afterwards, and not a reset."""
    body = b"x" * 4 * 1024**2
    length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
    with connected(site.port) as connection:
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\n{closing}{length}\r\n\r\n".encode())
        connection.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if chunked else body)
        connection.shutdown(socket.SHUT_WR)
        assert statuses(answers(connection)) == [413 if path == "/takes" else 403]


def test_row_22_a_refused_body_is_not_read_for_ever(site: Site) -> None:
    """After the answer only so much of a body is read; then the connection is cut."""
    with connected(site.port) as connection:
        connection.sendall(POST.replace(b"takes", b"refuses") % 10**9)
        sent = 0
        with suppress(OSError):  # reset or broken pipe, as the moment will have it
            while sent < 10**9:
                sent += connection.send(b"x" * 65_536)
    assert sent < 10**8


def test_row_24_the_rest_of_a_refused_body_that_does_not_come(site: Site) -> None:
    """A connection whose client owes the rest of a body, after its answer, is cut in time."""
    with connected(site.port) as connection:
        connection.sendall(POST.replace(b"takes", b"refuses") % 1000)
        try:
            found = answers(connection)
        except ConnectionResetError:
            found = b""
    assert statuses(found) in ([403], [])
