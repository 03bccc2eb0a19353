"""replay-dlq as a person reaches it."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from prometheus_client import CollectorRegistry

from signal_pipeline.roles.recovery import Recovery
from signal_pipeline.roles.replay_dlq import ReplayDlq
from signal_pipeline.roles.replay_tick import ReplayTick
from signal_pipeline.security.keys import KeyRing
from signal_pipeline.security.tokens import Tokens, TokenType
from signal_pipeline.serving.app import FunctionApp
from signal_pipeline.serving.metrics_page import MetricsPage
from signal_pipeline.settings import Settings
from tests.support.asgi import call
from tests.support.http import Answer

__all__ = ["Site"]


class Site:
    """The role as a person reaches it, and the steps that the schedule makes."""

    def __init__(self, settings: Settings, recovery: Recovery) -> None:
        registry = CollectorRegistry()
        self._function = ReplayDlq(settings, registry)
        self._recovery = recovery
        self._key = settings.jwt_secret_key.get_secret_value()
        self.app = FunctionApp(self._function, MetricsPage(registry, address="127.0.0.1", port=0))

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        scopes: tuple[str, ...] = ("replay",),
        key: str | None = None,
        who: str = "tester",
    ) -> Answer:
        """Send a request as a user whose token has the scopes."""
        token = Tokens(KeyRing([self._key])).issue(who, scopes, TokenType.ACCESS, now=datetime.now(UTC))
        headers = [("authorization", f"Bearer {token}"), ("content-type", "application/json")]
        if key is not None:
            headers.append(("idempotency-key", key))
        return await call(self.app, method, path, headers, b"" if body is None else json.dumps(body).encode())

    async def plan(self, **wanted: Any) -> Any:
        """Return what the dry run says."""
        answer = await self.ask("POST", "/replay", wanted)
        assert answer.status == 200, answer.body
        return answer.json

    async def order(self, plan: str, key: str | None = None, who: str = "tester", **parts: Any) -> Answer:
        """Execute a plan."""
        body = {"plan": plan, "reason": "the cause is repaired", **parts}
        return await self.ask("POST", "/replay", body, key=key, who=who)

    async def step(self, limit: int = 500) -> int:
        """Do what a tick does for jobs."""
        return (await self._function._orders.step(self._recovery, limit)).replayed

    def tick(self, live_lag: Callable[[], Awaitable[int]], *, per_second: int) -> ReplayTick:
        """Return what the schedule does, with a lag of the test's own."""
        return ReplayTick(self._recovery, self._function._orders, live_lag, per_second=per_second, max_live_lag=1000)

    async def job(self, job_id: str) -> Any:
        """Return the state of a job."""
        return (await self.ask("GET", f"/jobs/{job_id}")).json
