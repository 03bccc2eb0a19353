"""auth: issues, rotates, revokes and verifies tokens.

POST /auth/token     username and password   ──▶ an access and a refresh token
POST /auth/refresh   a refresh token         ──▶ a new pair; the old one is spent, using it again ends the login,
                                                 but for 5 s: two requests at once get the same successor
POST /auth/revoke    either token            ──▶ the login ends
POST /auth/verify    an access token         ──▶ what it says, unless its login has ended; GET takes it as Bearer

A token stands in the JSON body, or, an access token, in `Authorization: Bearer`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, TypeVar
from uuid import UUID, uuid4

from prometheus_client import CollectorRegistry
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from signal_pipeline.errors import InvalidEvent, Unauthenticated, UnsupportedContent
from signal_pipeline.observability.logs import get_logger
from signal_pipeline.observability.metrics import AuthMetrics
from signal_pipeline.roles.database import DatabaseFunction
from signal_pipeline.security.keys import KeyRing
from signal_pipeline.security.passwords import Passwords
from signal_pipeline.security.tokens import LIFETIMES, Tokens, TokenType, bearer_token
from signal_pipeline.serving.answers import json_response
from signal_pipeline.serving.body import read_body
from signal_pipeline.serving.directory import Directory
from signal_pipeline.settings import Settings
from signal_pipeline.store.access import (
    end_login,
    find_user,
    is_login_revoked,
    put_development_user,
    remember_refresh_token,
    revoke_login,
    spend_refresh_token,
)

__all__ = ["Auth"]

_ADMIN: Final = "admin"
_ADMIN_SCOPES: Final = ("signals:write", "signals:read", "replay", "admin")
_MAX_BODY_BYTES: Final = 16 * 1024


_Body = TypeVar("_Body", bound=BaseModel)


class _Credentials(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)
    username: str = Field(min_length=1, max_length=256)
    password: str = Field(min_length=1, max_length=1024)


class _RefreshToken(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)
    refresh_token: str = Field(min_length=1, max_length=8192)


class _AccessToken(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)
    token: str = Field(min_length=1, max_length=8192, validation_alias=AliasChoices("token", "access_token"))


class _EitherToken(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)
    token: str = Field(
        min_length=1, max_length=8192, validation_alias=AliasChoices("token", "refresh_token", "access_token")
    )


class Auth(DatabaseFunction):
    """The role auth."""

    name: ClassVar[str] = "auth"
    event_paths: ClassVar[tuple[str, ...]] = ()

    def __init__(self, settings: Settings, registry: CollectorRegistry) -> None:
        super().__init__(settings, registry)
        self._tokens = Tokens(KeyRing.of(settings))
        self._passwords = Passwords()
        self._admin_known = False
        self._metrics = AuthMetrics(registry)

    def directory(self) -> Directory:
        """Return what PostgreSQL knows of callers."""
        return Directory(self.pool)

    def routes(self) -> Sequence[BaseRoute]:
        """Return the four operations."""
        return [
            Route("/auth/token", self._token, methods=["POST"]),
            Route("/auth/refresh", self._refresh, methods=["POST"]),
            Route("/auth/revoke", self._revoke, methods=["POST"]),
            Route("/auth/verify", self._verify, methods=["GET", "POST"]),
        ]

    async def _token(self, request: Request) -> Response:
        given = await _parsed(request, _Credentials)
        await self._ensure_admin()
        user = await find_user(self.pool, given.username)
        if not await self._passwords.verify(user.password_hash if user else None, given.password) or user is None:
            self._metrics.refused.labels("password").inc()
            raise Unauthenticated("no such user or password", code="invalid_credentials")
        return await self._issue("password", user.username, user.scopes, user.id, uuid4(), uuid4())

    async def _refresh(self, request: Request) -> Response:
        given = await _parsed(request, _RefreshToken)
        claims = self._tokens.verify(given.refresh_token, TokenType.REFRESH)
        login = await spend_refresh_token(self.pool, claims.token_id, successor=uuid4())
        if login is None:
            self._metrics.refused.labels("refresh").inc()
            if await revoke_login(self.pool, claims.token_id):
                get_logger().warning("refresh_token_reused", user=claims.subject)
            raise Unauthenticated("the refresh token is not in use", code="invalid_refresh_token")
        return await self._issue("refresh", login.username, login.scopes, login.user_id, login.family, login.successor)

    async def _revoke(self, request: Request) -> Response:
        claims = self._tokens.verify(await _presented(request, _EitherToken), TokenType.ACCESS, TokenType.REFRESH)
        if claims.token_type is TokenType.REFRESH:
            await revoke_login(self.pool, claims.token_id)
        elif claims.login is not None:
            await end_login(self.pool, claims.login)
        return Response(status_code=204)

    async def _verify(self, request: Request) -> Response:
        claims = self._tokens.verify(await _presented(request, _AccessToken), TokenType.ACCESS)
        if claims.login is not None and await is_login_revoked(self.pool, claims.login):
            raise Unauthenticated("the login has ended", code="revoked_token")
        expires = int(claims.expires_at.timestamp())
        scopes = " ".join(sorted(claims.scopes))
        return json_response({"active": True, "sub": claims.subject, "scope": scopes, "exp": expires})

    async def _issue(
        self, grant: str, username: str, scopes: Sequence[str], user_id: UUID, family: UUID, refresh_id: UUID
    ) -> Response:
        now = datetime.now(UTC)
        expires = now + LIFETIMES[TokenType.REFRESH]
        await remember_refresh_token(self.pool, refresh_id, family=family, user=user_id, expires=expires)
        self._metrics.issued.labels(grant).inc()
        pair: Mapping[str, Any] = {
            "access_token": self._tokens.issue(username, scopes, TokenType.ACCESS, now=now, login=family),
            "refresh_token": self._tokens.issue(username, (), TokenType.REFRESH, now=now, token_id=refresh_id),
            "token_type": "Bearer",
            "expires_in": int(LIFETIMES[TokenType.ACCESS].total_seconds()),
            "scope": " ".join(scopes),
        }
        return json_response(pair, headers={"Cache-Control": "no-store"})

    async def _ensure_admin(self) -> None:
        """Give the user `admin` the password of the settings, once per process."""
        if not self._admin_known:
            password = self.settings.auth_admin_password.get_secret_value()
            known = await find_user(self.pool, _ADMIN)
            if known is None or not await self._passwords.verify(known.password_hash, password):
                await put_development_user(self.pool, _ADMIN, await self._passwords.hash(password), _ADMIN_SCOPES)
            self._admin_known = True


async def _presented(request: Request, model: type[_AccessToken] | type[_EitherToken]) -> str:
    """Return the token of a request: from its Authorization header, else from its JSON body."""
    token = bearer_token([("authorization", value) for value in request.headers.getlist("authorization")])
    if token is not None:
        return token
    if request.method == "GET":
        raise Unauthenticated("send Authorization: Bearer")
    return (await _parsed(request, model)).token


async def _parsed(request: Request, model: type[_Body]) -> _Body:
    """Return the JSON body as `model`; the message names a wrong field and never its value."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise UnsupportedContent("send application/json")
    try:
        return model.model_validate_json(await read_body(request, _MAX_BODY_BYTES))
    except ValidationError as exc:
        error = exc.errors(include_url=False, include_input=False, include_context=False)[0]
        field = ".".join(str(part) for part in error["loc"]) if error["loc"] else "body"
        raise InvalidEvent(f"{field[:64]}: {error['msg'][:200]}", code="invalid_request") from None
