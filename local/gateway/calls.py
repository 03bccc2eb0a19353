"""Calls of functions: bodies stream in both directions, and nothing is kept.

caller ──▶ target ──▶ removed, no such role ──▶ 404
              └─▶ function ─┬─ answers ──▶ its status, headers and body
                            ├─ nobody listens ──▶ 503
                            ├─ ends in the middle ──▶ 502
                            └─ stays silent ──▶ 504
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from starlette.types import Receive, Scope, Send
from yarl import URL

from local.gateway.headers import OWN_ADDRESS, Origin, answer_headers, call_id, has_body, request_headers
from local.gateway.routes import NAMESPACE, Target
from signal_pipeline.observability.logs import get_logger
from signal_pipeline.observability.metrics.gateway import GatewayMetrics
from signal_pipeline.settings import Settings
from signal_pipeline.tls import client_context
from signal_pipeline.topology import ROLES

__all__ = ["Calls", "Unanswered", "origin_of", "send_text", "source_address"]

_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=60.0)  # as OpenFaaS' upstream_timeout
_NOT_OURS: Final = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")  # the client's library would add them


class Unanswered(Exception):
    """A function gave no answer.

    Attributes:
        status: What the caller gets.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class _CallerGone(Exception):
    """The caller left before its body was complete."""


class Calls:
    """The way to the functions, for requests and for the queue; used within `async with`.

    Args:
        settings: Where they are, and whom to trust.
        metrics: Counts and times each call.
    """

    def __init__(self, settings: Settings, metrics: GatewayMetrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the client."""
        source, context = source_address(self._settings), client_context(self._settings)
        connector = aiohttp.TCPConnector(limit=0, local_addr=source, ssl=context)
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=_TIMEOUT,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_NOT_OURS,
        )

    async def close(self) -> None:
        """Close the client's connections."""
        if self._session is not None:
            await self._session.close()

    async def begin(
        self,
        target: Target,
        method: str,
        query: bytes,
        headers: Mapping[str, str],
        body: AsyncIterator[bytes] | bytes | None,
    ) -> aiohttp.ClientResponse:
        """Return a function's answer, its body still to be read; to be used as a context manager.

        Raises:
            Unanswered: there is none.
        """
        assert self._session is not None  # noqa: S101  opened before the first request
        url = self._settings.function_url(target.function) + target.path
        address = URL(f"{url}?{query.decode('latin-1')}" if query else url, encoded=True)
        name = target.function
        try:
            return await self._session.request(method, address, headers=headers, data=body, allow_redirects=False)
        except aiohttp.ClientConnectorError as exc:
            raise Unanswered(f"No endpoints available for: {name}.", 503) from exc
        except TimeoutError as exc:
            raise Unanswered(f"no answer in time from: {name}.", 504) from exc
        except aiohttp.ClientError as exc:
            raise Unanswered(f"Can't reach service for: {name}.", 502) from exc

    def count(self, target: Target, status: int, began: float) -> None:
        """Count a call that is over.

        Args:
            target: What was called.
            status: What the caller got.
            began: When it began, by the monotonic clock.
        """
        self._metrics.observe(f"{target.function}.{NAMESPACE}", status, time.monotonic() - began)

    async def relay(self, target: Target, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request with what the function says, until it is said or the caller leaves."""
        body = _Body(receive, expected=has_body(scope["headers"]))
        answering = asyncio.create_task(self._answer(target, scope, body, send))
        watching = asyncio.create_task(body.until_gone())
        try:
            await asyncio.wait([answering, watching], return_when=asyncio.FIRST_COMPLETED)
        finally:
            watching.cancel()
            if not answering.done():
                answering.cancel()
        await asyncio.wait([answering])
        if not answering.cancelled():
            answering.result()

    async def _answer(self, target: Target, scope: Scope, body: "_Body", send: Send) -> None:
        began, origin, status = time.monotonic(), origin_of(scope), 499  # the caller left, as nginx counts it
        headers = request_headers(scope["headers"], origin)
        try:
            data = body.parts() if body.expected else None
            answer = await self.begin(target, scope["method"], scope["query_string"], headers, data)
            async with answer:
                status = answer.status
                passed = answer_headers(answer.raw_headers, origin)
                await send({"type": "http.response.start", "status": status, "headers": passed})
                async for part in answer.content.iter_any():
                    await send({"type": "http.response.body", "body": part, "more_body": True})
                await send({"type": "http.response.body"})
        except Unanswered as exc:
            if not body.is_gone:
                status = exc.status
                get_logger().warning("call_failed", function=target.function, status=status, reason=str(exc))
                await send_text(send, status, str(exc), answer_headers([], origin))
        except (aiohttp.ClientError, TimeoutError) as exc:
            # The answer began: nothing but the end of the connection can tell that it is not whole.
            get_logger().warning("answer_broke_off", function=target.function, reason=type(exc).__name__)
        finally:
            self.count(target, status, began)


class _Body:
    """A request's body, read once; afterwards it tells when the caller leaves."""

    def __init__(self, receive: Receive, *, expected: bool) -> None:
        self.expected = expected
        self.is_gone = False
        self._receive = receive
        self._complete = asyncio.Event()
        if not expected:
            self._complete.set()

    async def parts(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes."""
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.is_gone = True
                raise _CallerGone
            if message.get("body"):
                yield message["body"]
            more = message.get("more_body", False)
        self._complete.set()

    async def until_gone(self) -> None:
        """Wait until the caller leaves."""
        await self._complete.wait()  # the body is read by one reader
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.is_gone = True


def source_address(settings: Settings) -> tuple[str, int] | None:
    """Return from where functions are called; None when one is elsewhere, where an address of here leads nowhere."""
    hosts = [urlsplit(settings.function_url(role.name)).hostname or "" for role in ROLES]
    return (OWN_ADDRESS, 0) if all(host == "localhost" or host.startswith("127.") for host in hosts) else None


def origin_of(scope: Scope) -> Origin:
    """Return where a request comes from."""
    return Origin(
        address=scope["client"][0] if scope.get("client") else "unknown",
        scheme=scope["scheme"],
        call_id=call_id(scope["headers"]) or str(uuid.uuid4()),
        started_ns=time.time_ns(),
    )


async def send_text(send: Send, status: int, text: str, headers: list[tuple[bytes, bytes]]) -> None:
    """Send an answer of the gateway itself, which `X-OpenFaaS-Internal` tells from one of a function."""
    body = f"{text}\n".encode()
    own = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-openfaas-internal", b"gateway"),
        (b"content-length", str(len(body)).encode()),
        *headers,
    ]
    await send({"type": "http.response.start", "status": status, "headers": own})
    await send({"type": "http.response.body", "body": body})
