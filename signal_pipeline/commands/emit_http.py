"""Posts to emit the way a good client does: waits as long as it is told to, and never guesses.

post ──202──▶ accepted
  │ ├─207──▶ accepted, and the refused ones by reason
  │ ├─429, 503──wait as Retry-After says──▶ post again: same ids, so a repeat changes nothing
  │ ├─no connection──wait──▶ post again
  │ └─anything else──▶ error with emit's own words
  └─ patience used up ──▶ error
"""

import asyncio
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self

import aiohttp
import orjson

from signal_pipeline.domain.retry import Backoff, retry_after_seconds
from signal_pipeline.errors import ConfigurationError, DependencyUnavailable
from signal_pipeline.settings import Settings
from signal_pipeline.tls import client_context

__all__ = ["Accepted", "EmitClient"]

_NOT_NOW: Final = frozenset({429, 503})
_UNAUTHENTICATED: Final = frozenset({401, 403})
_MULTI_STATUS: Final = 207
_OK: Final = 300
_RETRY_AFTER_CAP_SECONDS: Final = 30.0
_BACKOFF: Final = Backoff(base_seconds=0.2, cap_seconds=5.0)
_TIMEOUT: Final = aiohttp.ClientTimeout(total=30, connect=3)  # above the time that emit gives the broker


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepted:
    """What emit made of one request.

    Attributes:
        accepted: Events that the broker acknowledged.
        refused: Why others were not, by emit's own words.
        repeats: How often the request was sent again.
    """

    accepted: int
    refused: tuple[str, ...]
    repeats: int


class EmitClient:
    """One HTTP session with emit; an asynchronous context manager.

    Args:
        settings: Address and API key.
        patience_seconds: How long one request is sent again before it fails.
    """

    def __init__(self, settings: Settings, *, patience_seconds: float = 60.0) -> None:
        self._url = settings.function_url("emit")
        self._key = settings.emit_api_keys[0]
        self._tls = client_context(settings)
        self._patience_seconds = patience_seconds
        self._chance = random.SystemRandom()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(ssl=self._tls)
        self._session = aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT, headers={"X-API-Key": self._key})
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def require_ready(self) -> None:
        """Ask emit whether it serves; `DependencyUnavailable` says what to do when it does not."""
        try:
            async with self._opened().get(f"{self._url}/ready") as answer:
                if answer.status < _OK:
                    return
                text = await answer.text()
        except (aiohttp.ClientError, TimeoutError) as exc:
            raise DependencyUnavailable(
                f"emit does not answer at {self._url}; start the pipeline with: make up"
            ) from exc
        raise DependencyUnavailable(f"emit is not ready: {text}; see: make health")

    async def post(self, headers: Mapping[str, str], body: bytes) -> Accepted:
        """Send one request until emit has decided on it.

        Raises:
            ConfigurationError: emit does not take the API key, or refuses the whole request.
            DependencyUnavailable: it was not accepted in time.
        """
        deadline = time.monotonic() + self._patience_seconds
        repeats = 0
        while True:
            status, text, retry_after = await self._send(headers, body)
            if status is not None and not _is_temporary(status, text):
                return _decided(status, text, repeats)
            repeats += 1
            delay = _BACKOFF.delay(repeats, chance=self._chance.random(), at_least=retry_after)
            if time.monotonic() + delay > deadline:
                raise DependencyUnavailable(f"emit did not accept within {self._patience_seconds:.0f} s: {text}")
            await asyncio.sleep(delay)

    async def _send(self, headers: Mapping[str, str], body: bytes) -> tuple[int | None, str, float]:
        """Return status, text and the wait that was asked for; no status when there was no answer."""
        try:
            async with self._opened().post(f"{self._url}/emit", data=body, headers=headers) as answer:
                text = await answer.text()
                asked = answer.headers.get("Retry-After")
                wait = retry_after_seconds(asked, now=datetime.now(UTC), cap_seconds=_RETRY_AFTER_CAP_SECONDS)
                return answer.status, text, wait
        except (aiohttp.ClientError, TimeoutError) as exc:
            return None, f"no answer from {self._url} ({type(exc).__name__})", 0.0

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("use the client inside `async with`")
        return self._session


def _is_temporary(status: int, text: str) -> bool:
    """Tell whether the same request may do better later; of a batch, whether one of its events may."""
    if status != _MULTI_STATUS:
        return status in _NOT_NOW
    return any(each["status"] in _NOT_NOW for each in orjson.loads(text)["results"])


def _decided(status: int, text: str, repeats: int) -> Accepted:
    if status in _UNAUTHENTICATED:
        raise ConfigurationError("emit does not take EMIT_API_KEY: it was started with another one")
    if status >= _OK:
        raise ConfigurationError(f"emit refuses with {status}: {_problem(text)}")
    answer = orjson.loads(text)
    refused = tuple(f"{each['id']}: {each['code']}, {each['detail']}" for each in answer.get("results", ()))
    return Accepted(accepted=answer["accepted"], refused=refused, repeats=repeats)


def _problem(text: str) -> str:
    try:
        problem: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text[:200]
    return str(problem.get("detail", text)) if isinstance(problem, dict) else text[:200]
