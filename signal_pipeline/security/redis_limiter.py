"""Limits that hold across processes: one Lua script in Redis decides and charges all layers of a call at once.

take ──▶ waiting ──▶ sender: all that wait, in one round trip ──▶ one answer each ──▶ decide
            ▲                 │ what comes meanwhile waits for the next one
            └─────────────────┘

One connection and batches instead of a pool: redis-py's pool lends to whoever asks and not to who waits longest, so
that under load some calls wait until their timeout, which looks like an outage; and a batch costs less.
"""

import asyncio
import base64
import contextlib
import hashlib
from collections.abc import Sequence
from importlib import resources
from typing import Any, Final, TypeAlias

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError
from redis.maint_notifications import MaintNotificationsConfig

from signal_pipeline.errors import ConfigurationError, DependencyUnavailable
from signal_pipeline.security.gcra import SLACK_EVENTS, Decision, Layer, check_cost, decide, subject_digest

__all__ = ["RedisLimiter"]

_SCRIPT: Final = resources.files("signal_pipeline.security").joinpath("gcra.lua").read_text(encoding="ascii")
_SCRIPT_DIGEST: Final = hashlib.sha1(_SCRIPT.encode(), usedforsecurity=False).hexdigest()  # Redis names scripts so
_PREFIX: Final = "rl:"
# A round trip needs about a millisecond; what takes 200 times as long is an outage, and callers wait for it.
_TIMEOUT_SECONDS: Final = 0.2
_MOST_AT_ONCE: Final = 200  # some 10 ms of work, far from the timeout

_Arguments: TypeAlias = tuple[str | int, ...]
_Call: TypeAlias = tuple[_Arguments, asyncio.Future[list[float]]]


class RedisLimiter:
    """A `RateLimiter` of all processes that use the same Redis. Its clock is that of Redis.

    A restart of a process changes no limit; one of Redis forgets them all, which is a burst for everybody. A cluster of
    Redis is not supported, because the keys of one call must lie on one server.

    Args:
        url: Address, `redis://` or, with TLS, `rediss://`.
        password: Password; empty without any.
        ca_file: PEM file of the authorities that may sign the server's certificate; empty for those of the system.
        timeout_seconds: The longest that a round trip lasts, with connecting.

    Raises:
        ConfigurationError: the address is none.
    """

    def __init__(
        self, url: str, *, password: str = "", ca_file: str = "", timeout_seconds: float = _TIMEOUT_SECONDS
    ) -> None:
        self._timeout = timeout_seconds
        self._client = _client(url, password, ca_file, timeout_seconds)
        self._waiting: list[_Call] = []
        self._sender: asyncio.Task[None] | None = None

    async def take(self, layers: Sequence[Layer], cost: int = 1) -> Decision:
        """Charge a call to every layer if all of them allow it; see `RateLimiter.take`.

        Raises:
            DependencyUnavailable: Redis does not answer in time or not as it should. The call may have been charged.
        """
        known = check_cost(layers, cost)
        if known is not None:
            return known
        answer = asyncio.get_running_loop().create_future()
        self._waiting.append((_arguments(layers, cost), answer))
        if self._sender is None:
            self._sender = asyncio.create_task(self._send())
        return decide(layers, await answer, cost)

    async def close(self) -> None:
        """Close the connection; what waits for an answer fails."""
        if self._sender is not None:
            self._sender.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sender
            self._sender = None
        self._give_up([], RedisConnectionError("closed"))  # a task that is cancelled before its first step runs nothing
        await self._client.aclose()

    async def _send(self) -> None:
        batch: list[_Call] = []
        try:
            while self._waiting:
                batch = self._waiting[:_MOST_AT_ONCE]
                del self._waiting[:_MOST_AT_ONCE]
                _settle(batch, await self._outcomes([arguments for arguments, _ in batch]))
        finally:  # also when it ends in the middle: nobody waits for ever
            self._sender = None
            self._give_up(batch, RedisConnectionError("closed"))

    async def _outcomes(self, calls: list[_Arguments]) -> list[Any]:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._run(calls)
        except (RedisError, OSError) as exc:  # a TimeoutError is an OSError
            self._give_up([], exc)  # what came meanwhile has waited, too, and would now wait for the next timeout
            return [exc] * len(calls)

    def _give_up(self, batch: list[_Call], exc: Exception) -> None:
        left, self._waiting = batch + self._waiting, []
        _settle(left, [exc] * len(left))

    async def _run(self, calls: list[_Arguments]) -> list[Any]:
        outcomes = await self._round_trip(calls)
        unknown = [place for place, outcome in enumerate(outcomes) if isinstance(outcome, NoScriptError)]
        if unknown:  # a server that was restarted, or has never seen it: these calls have charged nothing
            await self._client.script_load(_SCRIPT)
            again = await self._round_trip([calls[place] for place in unknown])
            for place, outcome in zip(unknown, again, strict=True):
                outcomes[place] = outcome
        return outcomes

    async def _round_trip(self, calls: list[_Arguments]) -> list[Any]:
        pipeline = self._client.pipeline(transaction=False)
        for arguments in calls:
            pipeline.execute_command("EVALSHA", _SCRIPT_DIGEST, *arguments)
        return list(await pipeline.execute(raise_on_error=False))


def _settle(calls: list[_Call], outcomes: list[Any]) -> None:
    for (_, answer), outcome in zip(calls, outcomes, strict=True):
        if answer.done():  # its caller has gone
            continue
        if isinstance(outcome, Exception):
            answer.set_exception(DependencyUnavailable(f"Redis does not answer: {type(outcome).__name__}"))
        else:
            answer.set_result([float(level) for level in outcome])


def _arguments(layers: Sequence[Layer], cost: int) -> _Arguments:
    numbers = [repr(number) for layer in layers for number in (layer.per_second, layer.burst + SLACK_EVENTS)]
    return (len(layers), *map(_key, layers), cost, *numbers)


def _key(layer: Layer) -> str:
    return _PREFIX + base64.urlsafe_b64encode(subject_digest(layer)).decode().rstrip("=")


def _client(url: str, password: str, ca_file: str, timeout_seconds: float) -> redis.asyncio.Redis:
    options: dict[str, Any] = {"password": password} if password else {}
    if ca_file and url.startswith("rediss:"):
        options["ssl_ca_certs"] = ca_file
    try:
        return redis.asyncio.Redis.from_url(
            url,
            **options,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
            # Once more, for a connection that a restart of Redis has left dead; never after a timeout.
            retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
            maint_notifications_config=MaintNotificationsConfig(enabled=False),  # one question less when connecting
        )
    except ValueError as exc:
        raise ConfigurationError("REDIS_URL is no address: it begins with redis:// or rediss://") from exc
