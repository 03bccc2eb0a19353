"""A million subjects: what a flood of names or addresses may take of memory (row 16 of the abuse matrix)."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

from signal_pipeline.security import redis_limiter
from signal_pipeline.security.limits import Layer, LocalLimiter, RedisLimiter
from tests.support.redis_server import PASSWORD, RedisServer
from tests.support.waiting import wait_for

SUBJECTS = 1_000_000
# A full memory of the limiter of a process, 15 MB, and room for other machines' Pythons.
LOCAL_BYTES = 40 * 1024**2
# From there on nothing grows but what the allocator leaves between things; a subject that stayed would be 225 MB.
GROWTH_BYTES = 16 * 1024**2
_CHUNK = 10_000


def resident_bytes() -> int:
    """Return the memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def layer(number: int, *, per_second: float = 0.5) -> Layer:
    """Return the layer of one of many subjects."""
    return Layer(name="address", subject=f"subject-{number}", per_second=per_second, burst=10)


async def test_a_process_remembers_so_many_and_no_more() -> None:
    """Memory is flat from 100,000 subjects to 1,000,000, and small."""
    limiter = LocalLimiter(clock=lambda: 0.0)
    before = resident_bytes()
    for number in range(SUBJECTS // 10):
        await limiter.take([layer(number)])
    full = resident_bytes()
    for number in range(SUBJECTS // 10, SUBJECTS):
        await limiter.take([layer(number)])
    assert full - before < LOCAL_BYTES
    assert resident_bytes() - full < GROWTH_BYTES


def test_redis_keeps_within_its_memory_and_forgets(redis_server: RedisServer) -> None:
    """A million subjects within seconds are all answered, memory stays under its limit, and soon all keys are gone."""
    with redis_server.client() as client:
        client.script_load(redis_limiter._SCRIPT)
        replies = flood(redis_server, SUBJECTS)
        figures = client.info("memory")
        assert replies == SUBJECTS
        assert figures["used_memory"] <= figures["maxmemory"]
        wait_for(lambda: client.dbsize() == 0, seconds=30, what="the expiry of the last key")


async def test_a_limit_in_force_outlives_a_flood(redis_server: RedisServer) -> None:
    """Memory that runs out takes the levels that are nearest to empty: who is far over a limit stays there."""
    limiter = RedisLimiter(redis_server.url, password=PASSWORD, timeout_seconds=5.0)
    offender = Layer(name="login_user", subject="admin", per_second=0.01, burst=10)
    assert (await limiter.take([offender], 10)).allowed
    with redis_server.client() as client:
        client.script_load(redis_limiter._SCRIPT)
        before = client.config_get("maxmemory")["maxmemory"]
        client.config_set("maxmemory", "4mb")
        try:
            assert flood(redis_server, 50_000) == 50_000
            assert client.info("stats")["evicted_keys"] > 10_000
            assert not (await limiter.take([offender])).allowed
        finally:
            client.config_set("maxmemory", before)
    await limiter.close()


def flood(server: RedisServer, subjects: int) -> int:
    """Charge so many subjects once, without waiting for answers in between, and return how many were answered right.

    It sends what `RedisLimiter` sends, over a bare socket: a client's own work would make it last a minute.
    """
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(_command("AUTH", PASSWORD))
        connection.recv(len("+OK\r\n"))
        sender = Thread(target=lambda: [connection.sendall(chunk) for chunk in _chunks(subjects)])
        sender.start()
        # A fresh subject's answer is an array of one text, `0`.
        expected = b"*1\r\n$1\r\n0\r\n"
        answered = _read_all(connection, len(expected) * subjects)
        sender.join()
    return answered.count(expected)


def _chunks(subjects: int) -> Iterator[bytes]:
    for start in range(0, subjects, _CHUNK):
        calls = (redis_limiter._arguments([layer(number)], 1) for number in range(start, start + _CHUNK))
        yield b"".join(_command("EVALSHA", redis_limiter._SCRIPT_DIGEST, *call) for call in calls)


def _command(*words: str | int) -> bytes:
    texts = "".join(f"${len(text)}\r\n{text}\r\n" for text in map(str, words))
    return f"*{len(words)}\r\n{texts}".encode()


def _read_all(connection: socket.socket, size: int) -> bytes:
    connection.settimeout(10)
    received = bytearray()
    while len(received) < size and (part := connection.recv(1 << 20)):
        received += part
    return bytes(received)
