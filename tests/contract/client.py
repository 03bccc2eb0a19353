"""A small HTTP client for the tests: one call, one answer, nothing interpreted on the way."""

import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection

from tests.support.http import Answer

__all__ = ["Site", "free_port"]

_SECONDS = 40


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, kw_only=True)
class Site:
    """A function that is being served.

    Attributes:
        role: Which one.
        port: Its HTTP port.
        metrics_port: The port of its metrics page.
    """

    role: str
    port: int
    metrics_port: int

    def get(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        """Send a GET request."""
        return self.call("GET", path, headers)

    def post(self, path: str, headers: dict[str, str] | None = None, body: bytes | Iterable[bytes] = b"") -> Answer:
        """Send a POST request; a body in parts travels chunked."""
        return self.call("POST", path, headers, body)

    def call(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: bytes | Iterable[bytes] = b"",
        *,
        port: int | None = None,
    ) -> Answer:
        """Send a request on a connection of its own."""
        connection = HTTPConnection("127.0.0.1", port or self.port, timeout=_SECONDS)
        try:
            # Refused while the body is still on its way: the answer is there to be read.
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, path, body or None, headers or {})
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(status=response.status, headers=found, body=response.read())
        finally:
            connection.close()
