"""auth as its callers reach it, and its tables as an operator sees them."""

import json
from typing import Any

import psycopg
from prometheus_client import CollectorRegistry

from signal_pipeline.roles.auth import Auth
from signal_pipeline.security.limits import LocalLimiter, RateLimiter
from signal_pipeline.serving.app import FunctionApp
from signal_pipeline.serving.metrics_page import MetricsPage
from signal_pipeline.settings import Settings
from tests.support.asgi import call
from tests.support.http import Answer

__all__ = ["PASSWORD", "AuthSite"]

PASSWORD = "correct horse battery staple"
_JSON = ("content-type", "application/json")


class AuthSite:
    """One process of auth.

    When no limiter is given, it has one whose clock stands still: however slow the machine is, no attempt comes back.
    """

    def __init__(self, settings: Settings, limiter: RateLimiter | None = None) -> None:
        registry = CollectorRegistry()
        self.registry = registry
        self.settings = settings
        self.function = Auth(settings, registry, limiter or LocalLimiter(clock=lambda: 0.0))
        self.app = FunctionApp(self.function, MetricsPage(registry, address="127.0.0.1", port=0))

    async def post(self, operation: str, *headers: tuple[str, str], **fields: Any) -> Answer:
        """Call one of the four operations."""
        return await call(self.app, "POST", f"/auth/{operation}", [_JSON, *headers], json.dumps(fields).encode())

    async def log_in(self, password: str = PASSWORD, *headers: tuple[str, str], username: str = "admin") -> Answer:
        """Ask for the first pair of tokens."""
        return await self.post("token", *headers, username=username, password=password)

    async def accepts(self, access_token: str) -> bool:
        """Tell whether an access token is good."""
        return (await self.post("verify", token=access_token)).status == 200

    def run(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run a statement by hand and return its rows."""
        with psycopg.connect(self.settings.database_url.get_secret_value(), autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []

    def events(self) -> list[tuple[str, str | None, str | None]]:
        """Return kind, actor and subject of what was recorded, oldest first."""
        return self.run("SELECT kind, actor, subject FROM access_events ORDER BY id")  # type: ignore[return-value]

    def counted(self, name: str, **labels: str) -> float:
        """Return the value of a counter."""
        return self.registry.get_sample_value(name, labels) or 0.0
