"""A TCP proxy for one link of the pipeline, which can be made bad, or stopped at an exact moment.

    client ──bytes──▶ wire ──frames──▶ holds ──▶ rule ──▶ server
           ◀── rule ◀── holds ◀──frames── wire ◀──bytes──

The wire knows the protocol and cuts the stream into frames. A hold waits for a frame of a kind: from the first one on
none of its kind passes, in either direction, until the hold is released or the connections are cut. A rule says how
everything else is carried: at once, late, slowly, not at all. All of it runs on the loop of the test: what a test sees
has happened, and nothing more happens until the test lets it.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Self

from tests.support.proxy_rules import Cut, Pass, Rule
from tests.support.proxy_wires import Frame, Side, Wire

__all__ = ["Hold", "Proxy"]

_CHUNK: Final = 64 * 1024
_CONNECT_SECONDS: Final = 5.0


class Hold:
    """A place in the conversation at which the proxy stops.

    Args:
        matches: Tells of a frame whether it is the one.

    Attributes:
        frames: What was stopped, in order.
        reached: Set when the first one was stopped.
    """

    def __init__(self, matches: Callable[[Frame], bool]) -> None:
        self.matches = matches
        self.frames: list[Frame] = []
        self.reached = asyncio.Event()
        self._released = asyncio.Event()

    async def stop(self, frame: Frame) -> None:
        """Keep a frame until the hold is released."""
        if self._released.is_set():
            return
        self.frames.append(frame)
        self.reached.set()
        await self._released.wait()

    def release(self) -> None:
        """Let everything pass, now and from now on."""
        self._released.set()


class Proxy:
    """One link; use as an asynchronous context manager.

    Args:
        port: Port of the server on this machine.
        wire: Makes the protocol's state for a new connection, given the proxy's own port.

    Attributes:
        port: Where clients connect.
        carried: Bytes that passed.
        connections: Connections that were opened.
        broken: Connections that a rule or `cut` has ended.
    """

    def __init__(self, port: int, wire: Callable[[int], Wire]) -> None:
        self._target = port
        self._wire = wire
        self._rule: Rule = Pass()
        self._holds: list[Hold] = []
        self._links: set[asyncio.Task[None]] = set()
        self.port = 0
        self.carried = 0
        self.connections = 0
        self.broken = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._server.close()
        await self.cut()

    def hold(self, matches: Callable[[Frame], bool]) -> Hold:
        """Stop at the next frame of this kind."""
        hold = Hold(matches)
        self._holds.append(hold)
        return hold

    def obey(self, rule: Rule) -> None:
        """Carry everything by this rule from now on; what the rule before it kept goes on its way."""
        before, self._rule = self._rule, rule
        before.lift()

    async def cut(self) -> None:
        """End all connections with a reset; what is held was never sent."""
        links = list(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)
        self._holds.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a connection is served by a task")
        self._links.add(task)
        self.connections += 1
        try:
            await self._link(reader, writer)
        except (Cut, asyncio.CancelledError):  # a cancelled link is one that was cut
            self.broken += 1
        finally:
            self._links.discard(task)
            _reset(writer)

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except (OSError, TimeoutError):
            return
        wire = self._wire(self.port)
        pumps = [
            asyncio.create_task(self._pump(Side.CLIENT, wire, reader, far_writer)),
            asyncio.create_task(self._pump(Side.SERVER, wire, far_reader, writer)),
        ]
        try:
            done, _ = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in done:
                pump.result()
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            _reset(far_writer)

    async def _pump(self, side: Side, wire: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one direction until its sender ends it; a connection that broke is no fault of the proxy."""

        async def write(data: bytes) -> None:
            writer.write(data)
            self.carried += len(data)
            await writer.drain()

        with contextlib.suppress(ConnectionError):
            while data := await reader.read(_CHUNK):
                await self._carry(wire.cut(side, data), write)

    async def _carry(self, frames: Sequence[Frame], write: Callable[[bytes], "asyncio.Future[None]"]) -> None:
        for frame in frames:
            for hold in [one for one in self._holds if one.matches(frame)]:
                await hold.stop(frame)
            await self._rule.carry(frame.data, write)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close as a dead process's kernel may, or a broken link: with a reset, and nothing that waits is sent."""
    own: socket.socket | None = writer.get_extra_info("socket")
    if own is not None and own.fileno() >= 0:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
