"""How commands reach the supervisor: one JSON line in, JSON lines out, over a Unix socket in the state folder.

Request  {"command": "restart", "services": ["kafka"]}
Answers  {"kind": "change" | "snapshot", …}*  then  {"kind": "done"} or {"kind": "refused", "message": …, "service": …}
"""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from local.layout import Layout
from local.supervisor import Refused

__all__ = ["Handler", "SupervisorGone", "ask", "listen", "remove", "request", "serve"]

_SOCKET = "control.sock"
_ENDED = "the supervisor ended before it answered"
Handler = Callable[[str, list[str]], AsyncIterator[dict[str, Any]]]


class SupervisorGone(Exception):
    """The supervisor does not answer, or ended in the middle of an answer."""


def listen(layout: Layout) -> socket.socket:
    """Return the listening control socket; one that a dead supervisor left is replaced."""
    server = socket.socket(socket.AF_UNIX)
    # A socket's path holds about 100 bytes, which a deep checkout exceeds: the name alone always fits.
    with contextlib.chdir(layout.run):
        with contextlib.suppress(FileNotFoundError):
            (layout.run / _SOCKET).unlink()
        server.bind(_SOCKET)
    server.listen()
    return server


def remove(layout: Layout) -> None:
    """Remove the control socket of a supervisor that ends."""
    (layout.run / _SOCKET).unlink(missing_ok=True)


async def serve(server: socket.socket, handle: Handler) -> asyncio.Server:
    """Answer requests from the socket with what `handle` yields for them."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A client that leaves early (Ctrl-C) does not undo what it asked for.
        with contextlib.suppress(ConnectionError):
            asked = json.loads(await reader.readline())
            async for line in _answers(handle(asked["command"], asked["services"])):
                writer.write(json.dumps(line).encode() + b"\n")
                await writer.drain()
        writer.close()

    return await asyncio.start_unix_server(answer, sock=server)


def request(layout: Layout, command: str, services: list[str] | None = None) -> Iterator[dict[str, Any]]:
    """Send a command and yield its answers.

    Raises:
        SupervisorGone: nobody answers.
        Refused: the supervisor says no, and why.
    """
    with contextlib.closing(_connect(layout)) as connection, connection.makefile("rwb") as stream:
        stream.write(_question(command, services or []))
        stream.flush()
        for line in stream:
            answer = json.loads(line)
            if _is_last(answer):
                return
            yield answer
    raise SupervisorGone(_ENDED)


async def ask(layout: Layout, command: str, services: list[str]) -> list[dict[str, Any]]:
    """Send a command from within an event loop and return all its answers; raises as `request` does.

    Whoever is cancelled meanwhile does not undo what was asked for.
    """
    reader, writer = await asyncio.open_unix_connection(sock=_connect(layout))
    answers: list[dict[str, Any]] = []
    try:
        writer.write(_question(command, services))
        while line := await reader.readline():
            answer = json.loads(line)
            if _is_last(answer):
                return answers
            answers.append(answer)
    except ConnectionError as exc:
        raise SupervisorGone(_ENDED) from exc
    finally:
        writer.close()
    raise SupervisorGone(_ENDED)


def _question(command: str, services: list[str]) -> bytes:
    return json.dumps({"command": command, "services": services}).encode() + b"\n"


def _is_last(answer: dict[str, Any]) -> bool:
    """Tell whether no answer follows; `Refused` when the supervisor says no."""
    if answer["kind"] == "refused":
        raise Refused(answer["message"], service=answer["service"])
    return bool(answer["kind"] == "done")


def _connect(layout: Layout) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    try:
        folder = os.open(layout.run, os.O_PATH)
        try:
            # As short as in `listen`, and without moving the process: its other threads and tasks stay where they are.
            connection.connect(f"/proc/self/fd/{folder}/{_SOCKET}")
        finally:
            os.close(folder)
    except OSError as exc:
        connection.close()
        raise SupervisorGone("the pipeline is down; start it with: make up") from exc
    return connection


async def _answers(lines: AsyncIterator[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
    try:
        async for line in lines:
            yield line
    except Refused as exc:
        yield {"kind": "refused", "message": str(exc), "service": exc.service}
    else:
        yield {"kind": "done"}
