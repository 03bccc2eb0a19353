"""The proxy carries bytes unchanged, stops exactly where it is told to, and breaks a link in every way it promises."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.support.proxy import Proxy
from tests.support.proxy_rules import Blackhole, Latency, Pass, Resets, Trickle
from tests.support.proxy_wires import Frame, HttpWire, KafkaWire, PostgresWire, Side

_SECONDS = 5.0
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Server:
    """Echoes, and remembers what it got."""

    def __init__(self) -> None:
        self.received = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Echo until the client ends."""
        try:
            while data := await reader.read(1024):
                self.received += data
                writer.write(data)
        except ConnectionError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def linked(server: Server) -> AsyncIterator[tuple[Proxy, Streams]]:
    """Run a server behind a proxy, and connect."""
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    async with listener, Proxy(listener.sockets[0].getsockname()[1], HttpWire) as proxy:
        streams = await asyncio.open_connection("127.0.0.1", proxy.port)
        yield proxy, streams
        streams[1].close()


async def exchange(streams: Streams, data: bytes) -> bytes:
    """Send and read the echo."""
    streams[1].write(data)
    async with asyncio.timeout(_SECONDS):
        return await streams[0].readexactly(len(data))


@pytest.mark.parametrize("rule", [Pass(), Latency(seconds=0.05), Trickle(size=2, pause_seconds=0.001)])
async def test_a_slow_link_carries_everything(rule: Pass) -> None:
    """Bytes arrive unchanged, in both directions."""
    server = Server()
    async with linked(server) as (proxy, streams):
        proxy.obey(rule)
        assert await exchange(streams, b"POST / HTTP/1.1\r\n\r\nbody") == server.received
        assert proxy.carried == 2 * len(server.received)


async def test_latency_is_added_to_each_direction() -> None:
    """An exchange takes at least twice the latency."""
    loop = asyncio.get_running_loop()
    async with linked(Server()) as (proxy, streams):
        proxy.obey(Latency(seconds=0.05))
        began = loop.time()
        await exchange(streams, b"abc")
        assert loop.time() - began >= 0.1


async def test_a_blackhole_keeps_bytes_until_it_is_lifted() -> None:
    """Nothing arrives during it, everything after it."""
    server, hole = Server(), Blackhole()
    async with linked(server) as (proxy, streams):
        proxy.obey(hole)
        echo = asyncio.create_task(exchange(streams, b"abc"))
        async with asyncio.timeout(_SECONDS):
            await hole.swallowed.wait()
        assert server.received == b""
        proxy.obey(Pass())
        assert await echo == server.received == b"abc"


async def test_resets_break_each_connection_that_is_used() -> None:
    """The client sees a reset, and the proxy counts it."""
    async with linked(Server()) as (proxy, streams):
        proxy.obey(Resets())
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await exchange(streams, b"abc")
        assert proxy.broken == 1


async def test_what_is_held_was_never_sent() -> None:
    """From the held frame on nothing passes; when the link is cut, the server has what came before and no more."""
    server = Server()
    async with linked(server) as (proxy, streams):
        hold = proxy.hold(lambda frame: frame.side is Side.CLIENT and b"stop" in frame.data)
        assert await exchange(streams, b"go") == b"go"
        streams[1].write(b"stop")
        async with asyncio.timeout(_SECONDS):
            await hold.reached.wait()
        await proxy.cut()
        assert (server.received, [one.data for one in hold.frames]) == (b"go", [b"stop"])


async def test_what_is_released_passes() -> None:
    """A released hold stops nothing any more."""
    async with linked(Server()) as (proxy, streams):
        hold = proxy.hold(lambda frame: frame.side is Side.SERVER)
        echo = asyncio.create_task(exchange(streams, b"abc"))
        async with asyncio.timeout(_SECONDS):
            await hold.reached.wait()
        assert not echo.done()
        hold.release()
        assert await echo == b"abc"
        assert await exchange(streams, b"def") == b"def"


def test_kafka_answers_are_matched_and_addressed_to_the_proxy() -> None:
    """A frame that arrives in two pieces is one; the answer knows its request, and names the proxy's port."""
    wire = KafkaWire(1111, broker_port=2222)
    request = struct.pack(">ihhi", 12, 3, 9, 77) + b"rest"
    host = b"\x0a127.0.0.1"
    assert wire.cut(Side.CLIENT, request[:7]) == []
    assert wire.cut(Side.CLIENT, request[7:]) == [
        Frame(side=Side.CLIENT, kind="Metadata", request=request, data=request)
    ]
    answer = struct.pack(">ii", 18, 77) + host + struct.pack(">i", 2222)
    (frame,) = wire.cut(Side.SERVER, answer)
    assert (frame.kind, frame.request) == ("Metadata", request)
    assert frame.data == struct.pack(">ii", 18, 77) + host + struct.pack(">i", 1111)


def test_postgres_answers_are_about_the_last_statement() -> None:
    """Simple and prepared statements are named; the start-up message, which has no type, shifts nothing."""
    wire = PostgresWire(0)
    start = struct.pack(">ii", 9, 196608) + b"\0"
    parse = b"P" + struct.pack(">i", 15) + b"s1\0SELECT 1"[:11]
    bind = b"B" + struct.pack(">i", 8) + b"\0s1\0"
    commit = b"Q" + struct.pack(">i", 11) + b"COMMIT\0"
    ready = b"Z" + struct.pack(">i", 5) + b"I"
    (first,) = wire.cut(Side.CLIENT, start)
    (second,) = wire.cut(Side.CLIENT, parse)
    assert (first.kind, second.kind, second.request) == ("start", "P", b"SELECT 1")
    (third,) = wire.cut(Side.CLIENT, commit)
    (answer,) = wire.cut(Side.SERVER, ready)
    assert (third.request, answer.kind, answer.request) == (b"COMMIT", "Z", b"COMMIT")
    (fourth,) = wire.cut(Side.CLIENT, bind)
    assert fourth.request == b"SELECT 1"
