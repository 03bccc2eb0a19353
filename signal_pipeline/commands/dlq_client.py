"""Asks replay-dlq as the user admin, and says what to do when that fails.

ask ──no token yet──▶ auth ──▶ token; 429 ──▶ once more, when auth says: several commands in a row are no attack
 │ ├─2xx──▶ JSON
 │ ├─401──once, with a new token──▶ ask again: a token lives for minutes, a replay longer
 │ ├─400, 404, 409, 422──▶ an error with replay-dlq's own words
 │ └─anything else──▶ `DependencyUnavailable` with the next step
"""

import asyncio
import json
import time
from collections.abc import Coroutine, Mapping
from typing import Any, Final, TypeAlias
from uuid import UUID

import aiohttp

from signal_pipeline.errors import (
    ConfigurationError,
    Conflict,
    DependencyUnavailable,
    InvalidEvent,
    NotFound,
    PipelineError,
)
from signal_pipeline.settings import Settings
from signal_pipeline.tls import client_context

__all__ = ["DlqClient"]

_ROLE: Final = "replay-dlq"
_USER: Final = "admin"
_TIMEOUT: Final = aiohttp.ClientTimeout(total=30, connect=3)
_OK: Final = 300
_UNAUTHENTICATED: Final = 401
_TOO_MANY: Final = 429
_LONGEST_WAIT_SECONDS: Final = 15.0  # one attempt of LOGIN_ATTEMPTS_PER_MINUTE comes back in 2 s
_NOT_NOW: Final = frozenset({429, 503})
_REFUSALS: Final[Mapping[int, type[PipelineError]]] = {
    400: InvalidEvent,
    404: NotFound,
    409: Conflict,
    422: InvalidEvent,
}
_WRONG_PASSWORD: Final = "auth does not take AUTH_ADMIN_PASSWORD for the user admin: it was started with another one"  # noqa: S105 - a message
_WRONG_KEY: Final = "replay-dlq does not take auth's token: the two were started with different JWT_SECRET_KEY"

_Answer: TypeAlias = tuple[int, str, float]


class DlqClient:
    """The HTTP surface of replay-dlq.

    Each call raises `DependencyUnavailable` when auth or replay-dlq cannot answer, `ConfigurationError` when one does
    not take our credentials, and `InvalidEvent`, `NotFound` or `Conflict` with replay-dlq's own words.

    Args:
        settings: Addresses, and the password of the user admin.
    """

    def __init__(self, settings: Settings) -> None:
        self._auth = settings.function_url("auth")
        self._url = settings.function_url(_ROLE)
        self._password = settings.auth_admin_password.get_secret_value()
        self._tls = client_context(settings)
        self._token: str | None = None

    def dead_letters(self, parameters: Mapping[str, str]) -> dict[str, Any]:
        """Return one page of dead letters and the cursor of the next."""
        return self._ask("GET", "/dead-letters", parameters=parameters)

    def dead_letter(self, dlq_id: UUID) -> dict[str, Any]:
        """Return one dead letter whole."""
        return self._ask("GET", f"/dead-letters/{dlq_id}")

    def plan(self, wanted: Mapping[str, str], limit: int) -> dict[str, Any]:
        """Return what a replay by this filter would do; nothing changes."""
        return self._ask("POST", "/replay", body={"filter": wanted, "limit": limit})

    def order(self, plan: str, *, reason: str | None, key: str, rate: int | None = None) -> UUID:
        """Execute a plan and return its job; the same key gives the same job."""
        body = {"plan": plan, "reason": reason, "rate": rate}
        return UUID(self._ask("POST", "/replay", body=body, headers={"Idempotency-Key": key})["job"])

    def statistics(self) -> dict[str, Any]:
        """Return the recovery statistics."""
        return self._ask("GET", "/stats")

    def jobs(self) -> dict[str, Any]:
        """Return the newest jobs."""
        return self._ask("GET", "/jobs")

    def job(self, job_id: UUID) -> dict[str, Any]:
        """Return one job: how far it is."""
        return self._ask("GET", f"/jobs/{job_id}")

    def switch(self, job_id: UUID, action: str) -> dict[str, Any]:
        """Pause, resume or cancel a job and return it."""
        return self._ask("POST", f"/jobs/{job_id}/{action}")

    def _ask(
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, str] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        for token in (self._token or self._log_in(), None):
            bearer = {"Authorization": f"Bearer {token or self._log_in()}", **(headers or {})}
            request = self._send(method, self._url + path, what=_ROLE, params=parameters, json=body, headers=bearer)
            status, text, _ = _run(request)
            if status != _UNAUTHENTICATED:
                return _decided(status, text, _ROLE)
        raise ConfigurationError(_WRONG_KEY)

    def _log_in(self) -> str:
        status, text, wait = _run(self._attempt())
        if status == _TOO_MANY and wait <= _LONGEST_WAIT_SECONDS:
            time.sleep(wait)
            status, text, _ = _run(self._attempt())
        if status == _UNAUTHENTICATED:
            raise ConfigurationError(_WRONG_PASSWORD)
        self._token = str(_decided(status, text, "auth")["access_token"])
        return self._token

    async def _attempt(self) -> _Answer:
        credentials = {"username": _USER, "password": self._password}
        return await self._send("POST", f"{self._auth}/auth/token", what="auth", json=credentials)

    async def _send(self, method: str, url: str, *, what: str, **request: Any) -> _Answer:
        """Return status, body, and after how many seconds to come back, which is 0 when nothing is said of it."""
        try:
            async with (
                aiohttp.ClientSession(timeout=_TIMEOUT) as session,
                session.request(method, url, ssl=self._tls, **request) as answer,
            ):
                wait = answer.headers.get("Retry-After", "")
                return answer.status, await answer.text(errors="replace"), float(wait) if wait.isdecimal() else 0.0
        except (aiohttp.ClientError, TimeoutError) as exc:
            raise DependencyUnavailable(f"{what} does not answer at {url}; start the pipeline with: make up") from exc


def _run(request: Coroutine[Any, Any, _Answer]) -> _Answer:
    """Return the answer; Ctrl-C is a `KeyboardInterrupt` at whatever moment it comes.

    asyncio cancels the request when Ctrl-C comes, and now and then what leaves it is that cancellation: nothing else
    cancels here.
    """
    try:
        return asyncio.run(request)
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def _decided(status: int, text: str, what: str) -> dict[str, Any]:
    answer = _object(text)
    if answer is not None and status < _OK:
        return answer
    detail = str((answer or {}).get("detail", "no reason given"))
    if answer is not None and status in _REFUSALS:
        raise _REFUSALS[status](detail)
    if status in _NOT_NOW:
        raise DependencyUnavailable(f"{what} cannot answer now: {detail}; see what is down with: make health")
    raise DependencyUnavailable(f"{what} answered {status}: {detail}; see its log with: make logs-{what}")


def _object(text: str) -> dict[str, Any] | None:
    try:
        answer = json.loads(text)
    except json.JSONDecodeError:
        return None
    return answer if isinstance(answer, dict) else None
