"""auth: issues, rotates, revokes and verifies tokens.

POST /auth/token     username and password   ──▶ an access and a refresh token
POST /auth/refresh   a refresh token         ──▶ a new pair; the old one is spent, using it again ends the login,
                                                 but for 5 s: two requests at once get the same successor
POST /auth/revoke    either token            ──▶ the login ends
POST /auth/verify    an access token         ──▶ what it says, unless its login has ended; GET takes it as Bearer

A token stands in the JSON body, or, an access token, in `Authorization: Bearer`. A password goes this way:

body ──▶ attempts left, of this user and this address? ──▶ the user's hash, or nobody's ──▶ right? ──▶ a pair
              │ no: 429      │ Redis does not answer: 503                                    │ no: 401, and one answer
                                                                                               for every reason
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Final
from uuid import uuid4

from prometheus_client import CollectorRegistry
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from signal_pipeline.errors import Overloaded, Unauthenticated
from signal_pipeline.observability.logs import get_logger
from signal_pipeline.observability.metrics import AuthMetrics
from signal_pipeline.observability.sampling import Sampling
from signal_pipeline.roles.admin_user import AdminUser
from signal_pipeline.roles.auth_requests import AccessToken, Credentials, EitherToken, RefreshToken, parsed, presented
from signal_pipeline.roles.database import DatabaseFunction
from signal_pipeline.security.keys import KeyRing
from signal_pipeline.security.limits import RateLimiter, limiter_of, login_layers
from signal_pipeline.security.passwords import Passwords
from signal_pipeline.security.tokens import LIFETIMES, Claims, Tokens, TokenType
from signal_pipeline.serving.access import OPEN, current_admission
from signal_pipeline.serving.answers import json_response
from signal_pipeline.serving.correlation import current_correlation_id
from signal_pipeline.serving.directory import Directory
from signal_pipeline.settings import Settings
from signal_pipeline.store.access import (
    Issue,
    Login,
    User,
    end_login,
    end_reused_login,
    find_user,
    is_login_revoked,
    login_of_token,
    note_access_event,
    remember_refresh_token,
    spend_refresh_token,
)
from signal_pipeline.store.access_events import AccessEvent, AccessEventKind, log_access_event

__all__ = ["Auth"]

_REFUSALS: Final = {
    "password": ("no such user or password", "invalid_credentials"),
    "refresh": ("the refresh token is not in use", "invalid_refresh_token"),
}


class Auth(DatabaseFunction):
    """The role auth.

    Args:
        settings: Keys, the password of admin, attempts a minute.
        registry: Where metrics are shown.
        limiter: Counts attempts at passwords; one of this role's own that refuses without Redis when None.
    """

    name: ClassVar[str] = "auth"
    event_paths: ClassVar[tuple[str, ...]] = ()

    def __init__(self, settings: Settings, registry: CollectorRegistry, limiter: RateLimiter | None = None) -> None:
        super().__init__(settings, registry)
        self._tokens = Tokens(KeyRing.of(settings))
        self._passwords = Passwords()
        self._admin = AdminUser(settings, self._passwords)
        self._limiter = limiter or limiter_of(settings, self.limit_metrics, "closed")
        self._metrics = AuthMetrics(registry)
        self._limited = Sampling()

    def directory(self) -> Directory:
        """Return what PostgreSQL knows of callers."""
        return Directory(self.pool)

    def routes(self) -> Sequence[BaseRoute]:
        """Return the four operations."""
        guarded = self.access.guarded
        return [
            Route("/auth/token", guarded(self._token, OPEN), methods=["POST"]),
            Route("/auth/refresh", guarded(self._refresh, OPEN), methods=["POST"]),
            Route("/auth/revoke", guarded(self._revoke, OPEN), methods=["POST"]),
            Route("/auth/verify", guarded(self._verify, OPEN), methods=["GET", "POST"]),
        ]

    async def close(self) -> None:
        """Close the connections to PostgreSQL and Redis."""
        await self._limiter.close()
        await super().close()

    async def _token(self, request: Request) -> Response:
        given = await parsed(request, Credentials)
        await self._take_attempt(given.username)
        await self._admin.ensure(self.pool)
        user = await find_user(self.pool, given.username)
        usable = user if user is not None and not user.disabled else None
        right = await self._passwords.verify(usable.password_hash if usable else None, given.password)
        if usable is None or not right:
            raise await self._failed_login(user)
        event = self._event(AccessEventKind.LOGIN_SUCCEEDED, actor=usable.username, subject=usable.username)
        login = Login(
            family=uuid4(), user_id=usable.id, username=usable.username, scopes=usable.scopes, successor=uuid4()
        )
        return await self._issue("password", login, event, password_hash=usable.password_hash)

    async def _refresh(self, request: Request) -> Response:
        given = await parsed(request, RefreshToken)
        claims = self._tokens.verify(given.refresh_token, TokenType.REFRESH)
        login = await spend_refresh_token(self.pool, claims.token_id, successor=uuid4())
        if login is None:
            self._metrics.refused.labels("refresh").inc()
            await self._end_if_reused(claims)
            raise _refused("refresh")
        return await self._issue("refresh", login)

    async def _revoke(self, request: Request) -> Response:
        claims = self._tokens.verify(await presented(request, EitherToken), TokenType.ACCESS, TokenType.REFRESH)
        is_refresh = claims.token_type is TokenType.REFRESH
        family = await login_of_token(self.pool, claims.token_id) if is_refresh else claims.login
        event = self._event(AccessEventKind.LOGGED_OUT, actor=claims.subject, subject=claims.subject)
        if family is not None and await end_login(self.pool, family, event):
            self._metrics.ended.labels("logout").inc()
            log_access_event(event)
        return Response(status_code=204)

    async def _verify(self, request: Request) -> Response:
        claims = self._tokens.verify(await presented(request, AccessToken), TokenType.ACCESS)
        if claims.login is not None and await is_login_revoked(self.pool, claims.login):
            raise Unauthenticated("the login has ended", code="revoked_token")
        expires = int(claims.expires_at.timestamp())
        scopes = " ".join(sorted(claims.scopes))
        return json_response({"active": True, "sub": claims.subject, "scope": scopes, "exp": expires})

    async def _take_attempt(self, username: str) -> None:
        """Count an attempt before anything is looked up or hashed, also one at a user that does not exist."""
        address = current_admission().address
        decision = await self._limiter.take(login_layers(self.settings, username, address))
        if decision.allowed:
            return
        self._metrics.limited.labels(decision.layer).inc()
        suppressed = self._limited.due(decision.layer)
        if suppressed is not None:
            get_logger().warning("login_limited", layer=decision.layer, address=address, suppressed=suppressed)
        raise Overloaded(
            "too many attempts to log in", code="too_many_attempts", retry_after_seconds=decision.retry_after_seconds
        )

    async def _failed_login(self, user: User | None) -> Unauthenticated:
        """Record why a login failed; return the error, which says the same of all reasons."""
        self._metrics.refused.labels("password").inc()
        reason = "unknown_user" if user is None else "disabled" if user.disabled else "password"
        subject = None if user is None else user.username
        event = self._event(AccessEventKind.LOGIN_FAILED, subject=subject, detail={"reason": reason})
        await note_access_event(self.pool, event)
        log_access_event(event)
        return _refused("password")

    async def _end_if_reused(self, claims: Claims) -> None:
        """End the login of a token that was spent before: it has two holders, and one of them is not its owner."""
        event = self._event(AccessEventKind.REFRESH_REUSED, subject=claims.subject)
        if await end_reused_login(self.pool, claims.token_id, event):
            self._metrics.ended.labels("refresh_reused").inc()
            log_access_event(event)

    async def _issue(
        self, grant: str, login: Login, event: AccessEvent | None = None, *, password_hash: str | None = None
    ) -> Response:
        now = datetime.now(UTC)
        issue = Issue(
            token_id=login.successor,
            family=login.family,
            user_id=login.user_id,
            expires=now + LIFETIMES[TokenType.REFRESH],
            password_hash=password_hash,
        )
        if not await remember_refresh_token(self.pool, issue, event):
            self._metrics.refused.labels(grant).inc()
            raise _refused(grant)
        if event is not None:
            log_access_event(event)
        self._metrics.issued.labels(grant).inc()
        return json_response(self._pair(login, now))

    def _pair(self, login: Login, now: datetime) -> Mapping[str, Any]:
        access = self._tokens.issue(login.username, login.scopes, TokenType.ACCESS, now=now, login=login.family)
        refresh = self._tokens.issue(login.username, (), TokenType.REFRESH, now=now, token_id=login.successor)
        return {
            "access_token": access,
            "refresh_token": refresh,
            "token_type": "Bearer",
            "expires_in": int(LIFETIMES[TokenType.ACCESS].total_seconds()),
            "scope": " ".join(login.scopes),
        }

    def _event(
        self,
        kind: AccessEventKind,
        *,
        subject: str | None,
        actor: str | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> AccessEvent:
        return AccessEvent(
            kind=kind,
            actor=actor,
            subject=subject,
            address=current_admission().address,
            correlation_id=current_correlation_id(),
            detail=detail or {},
        )


def _refused(grant: str) -> Unauthenticated:
    """Return the one answer to all that a grant refuses."""
    detail, code = _REFUSALS[grant]
    return Unauthenticated(detail, code=code)
