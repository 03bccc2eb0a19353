"""Which API keys and logins are good now, as PostgreSQL knows it.

A revocation holds from the moment it is committed: every request asks. While PostgreSQL does not answer, emit goes on
for the callers it has seen lately, and for tokens, which live for minutes; not for those it has refused before. What
needs the database anyway refuses.
"""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar
from uuid import UUID

from signal_pipeline.errors import DependencyUnavailable
from signal_pipeline.observability.logs import get_logger
from signal_pipeline.security.tokens import LIFETIMES, TokenType
from signal_pipeline.store.access import ApiKey, find_api_key, is_login_revoked
from signal_pipeline.store.errors import StoreError
from signal_pipeline.store.pool import Pool

__all__ = ["Directory"]

_PATIENCE_SECONDS: Final = 1.0  # an answer takes about a millisecond; a request must not wait out an outage
_BLIND_SECONDS: Final = 1.0  # after a failed question, how long none is asked
_REMEMBERED: Final = 10_000
_ENDED_SECONDS: Final = 1.0  # how long no question is asked about a login that has ended: nothing brings it back
# As long as an access token lives: an outage prolongs no credential beyond what a stolen token had anyway.
_MEMORY_SECONDS: Final = LIFETIMES[TokenType.ACCESS].total_seconds()
_K = TypeVar("_K")
_T = TypeVar("_T")


class Directory:
    """Asks for API keys and logins.

    Args:
        pool: Connections of the role.
        outlives_outages: Whether callers that were good lately still are while PostgreSQL does not answer.
    """

    def __init__(self, pool: Pool, *, outlives_outages: bool = False) -> None:
        self._pool = pool
        self._outlives = outlives_outages
        self._blind = False
        self._ask_at = 0.0  # while blind: when somebody asks again
        self._seen: OrderedDict[bytes, tuple[float, ApiKey]] = OrderedDict()
        self._ended: OrderedDict[UUID, float] = OrderedDict()

    async def api_key(self, text: str) -> ApiKey | None:
        """Return the key, if it is good; None otherwise.

        Raises:
            DependencyUnavailable: PostgreSQL does not answer, and the key was not seen lately.
        """
        fingerprint = hashlib.sha256(text.encode()).digest()
        try:
            found = await self._ask(lambda: find_api_key(self._pool, text))
        except DependencyUnavailable:
            seen_at, key = self._seen.get(fingerprint, (float("-inf"), None))
            if key is None or not self._outlives or time.monotonic() - seen_at > _MEMORY_SECONDS:
                raise
            return key
        _remember(self._seen, fingerprint, None if found is None else (time.monotonic(), found))
        return found

    def knows(self, text: str) -> bool:
        """Tell whether a key was good lately: no stranger's guess."""
        return hashlib.sha256(text.encode()).digest() in self._seen

    async def has_ended(self, login: UUID) -> bool:
        """Tell whether a login was ended before its time.

        Raises:
            DependencyUnavailable: PostgreSQL does not answer.
        """
        ended_at = self._ended.get(login)
        if ended_at is not None and time.monotonic() - ended_at < _ENDED_SECONDS:
            return True  # whoever goes on with such a token must not keep the database busy
        try:
            ended = await self._ask(lambda: is_login_revoked(self._pool, login))
        except DependencyUnavailable:
            if self._outlives:
                return ended_at is not None
            raise
        _remember(self._ended, login, time.monotonic() if ended else None)
        return ended

    async def _ask(self, question: Callable[[], Awaitable[_T]]) -> _T:
        if self._blind:
            now = time.monotonic()
            if now < self._ask_at:
                raise DependencyUnavailable("credentials cannot be checked now")
            # Of many requests one finds out: all of them waiting would fill the function for as long as it is patient.
            self._ask_at = now + _PATIENCE_SECONDS + _BLIND_SECONDS
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                answer = await question()
        except (StoreError, TimeoutError) as exc:
            self._blind, self._ask_at = True, time.monotonic() + _BLIND_SECONDS
            get_logger().warning("credentials_unchecked", detail=str(exc) or "no answer in time")
            raise DependencyUnavailable("credentials cannot be checked now") from exc
        self._blind = False
        return answer


def _remember(memory: OrderedDict[_K, _T], key: _K, value: _T | None) -> None:
    """Put what was learned last at the end of a memory, which forgets what it learned first; None forgets the key."""
    memory.pop(key, None)
    if value is None:
        return
    memory[key] = value
    if len(memory) > _REMEMBERED:
        memory.popitem(last=False)
