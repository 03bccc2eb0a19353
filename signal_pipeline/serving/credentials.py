"""Who calls: a request's one credential, turned into a name and what it may do.

X-API-Key ──▶ EMIT_API_KEY     signals:write
          ├─▶ SERVICE_API_KEY  the triggers, which rate limits do not hold back
          └─▶ spk_…            the table api_keys
Authorization: Bearer ──▶ an access token of auth, whose login has not ended
anything else, both, or one of them twice ──▶ 401
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from signal_pipeline.domain.access import is_api_key
from signal_pipeline.errors import Forbidden, Unauthenticated
from signal_pipeline.security.api_keys import matches_any
from signal_pipeline.security.keys import KeyRing
from signal_pipeline.security.tokens import Tokens, TokenType
from signal_pipeline.serving.directory import Directory
from signal_pipeline.settings import Settings

__all__ = ["ADMIN", "REPLAY", "SERVICE", "SIGNALS_WRITE", "Caller", "Credentials", "Kind"]

SIGNALS_WRITE: Final = "signals:write"
REPLAY: Final = "replay"
SERVICE: Final = "service"
ADMIN: Final = "admin"
_CREDENTIALS: Final = ("x-api-key", "authorization")
_ASK: Final = "send a valid X-API-Key, or a Bearer token"


class Kind(StrEnum):
    """What sort of caller it is."""

    USER = "user"
    KEY = "key"
    SERVICE = "service"


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who calls.

    Attributes:
        kind: User, API key, or a part of the pipeline.
        name: Name of the user or key.
        scopes: What it may do; `admin` includes every other scope.
    """

    kind: Kind
    name: str
    scopes: frozenset[str]

    @property
    def identity(self) -> str:
        """Kind and name: a user and a key of the same name are two callers."""
        return self.name if self.kind is Kind.USER else f"{self.kind}:{self.name}"

    @property
    def is_admin(self) -> bool:
        """Whether it may see and do everything."""
        return ADMIN in self.scopes

    def require(self, scope: str | None) -> None:
        """Raise `Forbidden` unless the caller has the scope; None asks for nothing beyond being known."""
        if scope is not None and not self.is_admin and scope not in self.scopes:
            raise Forbidden(f"the credential lacks the scope {scope}")


class Credentials:
    """Finds out who calls.

    Args:
        settings: Keys of the environment, keys of tokens.
        directory: Knows API keys and logins; None for a function that only the pipeline itself calls, which then takes
            SERVICE_API_KEY and nothing else.
    """

    def __init__(self, settings: Settings, directory: Directory | None) -> None:
        self._emit_keys = settings.emit_api_keys
        self._service_keys = settings.service_api_keys
        self._tokens = Tokens(KeyRing.of(settings))
        self._directory = directory

    async def caller(self, headers: Sequence[tuple[str, str]]) -> Caller:
        """Return who sent a request (header names in lower case).

        Raises:
            Unauthenticated: without a valid credential.
            DependencyUnavailable: the credential cannot be checked now.
        """
        given = [(name, value) for name, value in headers if name in _CREDENTIALS]
        if len(given) != 1:
            raise Unauthenticated(_ASK)
        name, value = given[0]
        return await (self._by_key(value) if name == "x-api-key" else self._by_token(value))

    def is_guess(self, headers: Sequence[tuple[str, str]]) -> bool:
        """Tell whether checking the credential costs a question to the database that only a stranger would cause."""
        keys = [value for name, value in headers if name == "x-api-key"]
        return any(is_api_key(key) and not self._is_known(key) for key in keys)

    async def _by_key(self, value: str) -> Caller:
        configured = self._configured(value)
        if configured is not None:
            return configured
        found = None
        if self._directory is not None and is_api_key(value):  # what cannot be one is not worth a question
            found = await self._directory.api_key(value)
        if found is None:
            raise Unauthenticated("the API key is not valid", code="invalid_api_key")
        return Caller(kind=Kind.KEY, name=found.name, scopes=frozenset(found.scopes))

    async def _by_token(self, value: str) -> Caller:
        scheme, _, token = value.partition(" ")
        if scheme.lower() != "bearer" or not token.strip() or self._directory is None:
            raise Unauthenticated(_ASK)
        claims = self._tokens.verify(token.strip(), TokenType.ACCESS)
        if claims.login is not None and await self._directory.has_ended(claims.login):
            raise Unauthenticated("the login has ended", code="revoked_token")
        return Caller(kind=Kind.USER, name=claims.subject, scopes=claims.scopes)

    def _configured(self, value: str) -> Caller | None:
        """Return the caller of a key of the settings, compared in constant time."""
        if matches_any(value, self._service_keys):
            return Caller(kind=Kind.SERVICE, name="trigger", scopes=frozenset({SERVICE, SIGNALS_WRITE}))
        if self._directory is not None and matches_any(value, self._emit_keys):
            return Caller(kind=Kind.KEY, name="EMIT_API_KEY", scopes=frozenset({SIGNALS_WRITE}))
        return None

    def _is_known(self, value: str) -> bool:
        return self._directory is not None and self._directory.knows(value)
