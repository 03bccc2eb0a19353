"""A client that sends one event a request, as a platform's own source does, with a fixed number of requests in flight.

Each connection sends its next request when it has the answer to the one before. It writes ready bytes and reads no more
of an answer than it must, so that the function and not the client decides the rate.
"""

import asyncio
import json
import random
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, cast
from urllib.parse import urlsplit

import uvloop

from bench.report import Run

__all__ = ["send_one_by_one"]

_DURABLE: Final = b"HTTP/1.1 204"
_END_OF_HEAD: Final = b"\r\n\r\n"
_HEAD: Final = (
    "POST / HTTP/1.1\r\nhost: {host}\r\nce-specversion: 1.0\r\nce-id: {id}\r\nce-source: bench\r\nce-type: click\r\n"
    "ce-subject: {subject}\r\nce-time: {time}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
)


def send_one_by_one(url: str, count: int, in_flight: int) -> Run:
    """Send new sample signals until all are durable.

    Args:
        url: Address of the function.
        count: How many.
        in_flight: How many requests wait for their answers at once.

    Raises:
        ConnectionError: an answer was not 204, or a connection broke.
    """
    place = urlsplit(url)
    waiting = _requests(place.netloc, count)
    return uvloop.run(_send(place.hostname or "", place.port or 80, waiting, count, in_flight))


async def _send(host: str, port: int, waiting: list[bytes], count: int, in_flight: int) -> Run:
    loop = asyncio.get_running_loop()
    requests = iter(waiting)
    clients = [(await loop.create_connection(lambda: _Client(requests), host, port))[1] for _ in range(in_flight)]
    began = time.perf_counter()
    for client in clients:
        client.next()
    await asyncio.gather(*(client.ended for client in clients))
    return Run(signals=count, seconds=time.perf_counter() - began, first_rows=0)


class _Client(asyncio.Protocol):
    """One connection with one request in flight."""

    def __init__(self, requests: Iterator[bytes]) -> None:
        self._requests = requests
        self._answer = b""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's has no base of asyncio

    def next(self) -> None:
        """Send the next request; close when there is none."""
        request = next(self._requests, None)
        if request is None:
            self._transport.close()
        else:
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Take an answer, which has no body when the event is durable."""
        self._answer += data
        if not self._answer.endswith(_END_OF_HEAD):
            return
        answer, self._answer = self._answer, b""
        if answer.startswith(_DURABLE):
            self.next()
        else:
            self._fail(ConnectionError(answer.partition(b"\r\n")[0].decode("latin-1")))

    def connection_lost(self, exc: Exception | None) -> None:
        """End, well when all was sent."""
        if not self.ended.done():
            self.ended.set_result(None) if exc is None else self.ended.set_exception(exc)

    def _fail(self, error: ConnectionError) -> None:
        self.ended.set_exception(error)
        self._transport.abort()


def _requests(host: str, count: int) -> list[bytes]:
    now, rng = datetime.now(UTC).isoformat(), random.Random(count)  # noqa: S311 - sample data
    return [_request(host, now, rng) for _ in range(count)]


def _request(host: str, now: str, rng: random.Random) -> bytes:
    data = {"session_id": f"sess_{rng.randrange(10_000, 99_999)}", "data": f"sample_data_{rng.randrange(1, 90)}"}
    body = json.dumps(data).encode()
    subject = f"user_{rng.randrange(1, 1000)}"
    return _HEAD.format(host=host, id=uuid.uuid4(), subject=subject, time=now, length=len(body)).encode() + body
