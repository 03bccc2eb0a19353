"""Row 25: what two servers could read differently is answered 400, once, and the connection closes."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.abuse.sockets import exchange, statuses
from tests.contract.client import Site, free_port
from tests.contract.conftest import NOWHERE, ROOT, wait_for

POST = "POST /health HTTP/1.1\r\n"
HOST = "Host: x\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"
AMBIGUOUS = {
    "length and chunks": f"{POST}{HOST}Content-Length: 5\r\n{CHUNKED}\r\n0\r\n\r\n",
    "chunks and length": f"{POST}{HOST}{CHUNKED}Content-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": f"{POST}{HOST}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "one length twice": f"{POST}{HOST}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "a list of lengths": f"{POST}{HOST}Content-Length: 5, 5\r\n\r\nhello",
    "a signed length": f"{POST}{HOST}Content-Length: +5\r\n\r\nhello",
    "a negative length": f"{POST}{HOST}Content-Length: -1\r\n\r\nhello",
    "a hexadecimal length": f"{POST}{HOST}Content-Length: 0x5\r\n\r\nhello",
    "a length beyond 64 bits": f"{POST}{HOST}Content-Length: {'9' * 30}\r\n\r\nhello",
    "a folded header": f"{POST}{HOST}X-A: a\r\n b\r\n\r\n",
    "a space before the colon": f"{POST}{HOST}Content-Length : 5\r\n\r\nhello",
    "an unknown coding": f"{POST}{HOST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked, but not last": f"{POST}{HOST}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "a coding below the chunks": f"{POST}{HOST}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": f"{POST}{HOST}{CHUNKED}{CHUNKED}\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": f"POST /health HTTP/1.0\r\n{HOST}{CHUNKED}\r\n0\r\n\r\n",
    "a chunk size that is none": f"{POST}{HOST}{CHUNKED}\r\nZZ\r\n\r\n",
    "a chunk longer than it says": f"{POST}{HOST}{CHUNKED}\r\n1\r\nabc\r\n0\r\n\r\n",
    "line feeds alone": f"{POST}{HOST}\r\n".replace("\r", ""),
    "line feeds alone in chunks": f"{POST}{HOST}{CHUNKED}\r\n1\na\n0\n\n",
    "a carriage return alone": "GET /health HTTP/1.1\r\nHost: x\rX-A: y\r\n\r\n",
    "U+0000 in a header": f"GET /health HTTP/1.1\r\n{HOST}X-A: a\x00b\r\n\r\n",
    "no host": "GET /health HTTP/1.1\r\n\r\n",
    "two hosts": f"GET /health HTTP/1.1\r\n{HOST}Host: y\r\n\r\n",
    "a method of other characters": f"G@T /health HTTP/1.1\r\n{HOST}\r\n",
    "HTTP/0.9": "GET /health\r\n\r\n",
    "HTTP/2 without TLS": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a tunnel": f"CONNECT a:1 HTTP/1.1\r\n{HOST}\r\n",
    "TLS where there is none": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}
LARGE = {
    "a header of 70 KB": (f"GET /health HTTP/1.1\r\n{HOST}X-A: {'a' * 70_000}\r\n\r\n", 431),
    "a header that does not end": (f"GET /health HTTP/1.1\r\n{HOST}X-A: {'a' * 400_000}", 431),
    "200 headers": (f"GET /health HTTP/1.1\r\n{HOST}" + "X-A: b\r\n" * 200 + "\r\n", 431),
    "a token of 1 MB": (f"GET /health HTTP/1.1\r\n{HOST}Authorization: Bearer {'a' * 10**6}\r\n\r\n", 431),
    "an address of 10 KB": (f"GET /{'a' * 10_000} HTTP/1.1\r\n{HOST}\r\n", 414),
}


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """auth, served by the product's own command."""
    port, metrics_port = free_port(), free_port()
    variables = {name.upper(): value for name, value in NOWHERE.items()}
    variables |= {"AUTH_PORT": str(port), "AUTH_METRICS_PORT": str(metrics_port)}
    command = [sys.executable, "-m", "signal_pipeline", "serve", "auth"]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | variables, stdout=subprocess.DEVNULL) as process:
        site = Site(role="auth", port=port, metrics_port=metrics_port)
        try:
            wait_for(site)
            yield site
        finally:
            process.terminate()
            process.wait(30)


@pytest.mark.parametrize("raw", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_row_25_ambiguous(site: Site, raw: str) -> None:
    """It is answered 400 as a problem, exactly once, and nothing behind it is read."""
    found = exchange(site.port, raw.encode("latin-1") + b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\n")
    assert statuses(found) == [400]
    head, _, body = found.partition(b"\r\n\r\n")
    assert json.loads(body)["code"] == "malformed_request"
    for header in (b"connection: close", b"x-content-type-options: nosniff", b"cache-control: no-store"):
        assert header in head.lower()
    assert b"server:" not in head.lower()


@pytest.mark.parametrize(("raw", "status"), LARGE.values(), ids=LARGE)
def test_row_25_large_heads(site: Site, raw: str, status: int) -> None:
    """An address or headers over their limits are refused by the status that says which, and the connection closes."""
    assert statuses(exchange(site.port, raw.encode())) == [status]


def test_row_25_what_follows_an_upgrade_is_not_read(site: Site) -> None:
    """An offer of another protocol is not taken: the request is answered as HTTP, and it was the last one."""
    raw = f"GET /health HTTP/1.1\r\n{HOST}Connection: Upgrade\r\nUpgrade: h2c\r\n\r\nGET /health HTTP/1.1\r\n{HOST}\r\n"
    assert statuses(exchange(site.port, raw.encode())) == [200]


def test_row_25_a_broken_request_behind_a_good_one(site: Site) -> None:
    """The good request is answered, the broken one behind it on the same connection is not served."""
    raw = f"GET /health HTTP/1.1\r\n{HOST}\r\nGET /health HTTP/1.1\r\n\r\n"
    assert statuses(exchange(site.port, raw.encode()))[0] == 200


def test_row_25_pipelined_requests_are_bounded(site: Site) -> None:
    """Requests sent ahead are answered in order; thousands at once are not kept."""
    one = f"GET /health HTTP/1.1\r\n{HOST}\r\n".encode()
    assert statuses(exchange(site.port, one * 9 + one.replace(b"Host", b"Connection: close\r\nHost"))) == [200] * 10
    # Whole answers to those before the bound, or none: the connection may be cut while the rest is on its way.
    assert set(statuses(exchange(site.port, one * 2000))) == {200}
    assert len(statuses(exchange(site.port, one * 2000))) <= 65


def test_row_25_the_largest_sound_head_is_served(site: Site) -> None:
    """64 extension attributes and an 8 KB tracestate fit."""
    extensions = "".join(f"ce-x{number}: {'v' * 700}\r\n" for number in range(64))
    raw = f"GET /health HTTP/1.1\r\n{HOST}{extensions}tracestate: {'x' * 8000}\r\nConnection: close\r\n\r\n"
    assert statuses(exchange(site.port, raw.encode())) == [200]


def test_row_25_the_server_lives_on(site: Site) -> None:
    """After all of it others are served at once."""
    started = time.monotonic()
    assert site.get("/health").status == 200
    assert time.monotonic() - started < 1
