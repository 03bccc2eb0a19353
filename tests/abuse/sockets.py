"""Raw connections, for requests that no honest client would make."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["answers", "connected", "exchange", "statuses"]

_SECONDS = 20


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    """Lend a connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) as connection:
        yield connection


def answers(connection: socket.socket) -> bytes:
    """Return what comes until the server closes; `TimeoutError` when it does not."""
    return b"".join(iter(lambda: connection.recv(65_536), b""))


def exchange(port: int, raw: bytes) -> bytes:
    """Send bytes on a connection of their own and return what comes until the server closes it."""
    with connected(port) as connection:
        connection.sendall(raw)
        return answers(connection)


def statuses(raw: bytes) -> list[int]:
    """Return the status of each answer in what a server sent."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 ([1-5][0-9]{2}) ", raw)]
