"""Real answers of every role against its OpenAPI document, in both directions.

Each operation is asked for every status that its document names, 429 and 503 aside, and may give no other.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from signal_pipeline.broker.admin import apply_topics
from signal_pipeline.roles.auth import Auth
from signal_pipeline.roles.confirm_outbox import ConfirmOutbox
from signal_pipeline.roles.detect_anomaly import DetectAnomaly
from signal_pipeline.roles.emit import Emit
from signal_pipeline.roles.process_signal import ProcessSignal
from signal_pipeline.roles.replay_dlq import ReplayDlq
from signal_pipeline.security.keys import KeyRing
from signal_pipeline.security.limits import LocalLimiter
from signal_pipeline.security.tokens import Tokens, TokenType
from signal_pipeline.serving.app import FunctionApp
from signal_pipeline.serving.function import Function
from signal_pipeline.serving.metrics_page import MetricsPage
from signal_pipeline.serving.openapi import openapi_document
from signal_pipeline.settings import Settings
from tests.integration.kafka_fixture import KafkaBroker
from tests.integration.roles.site import Site
from tests.support.asgi import call
from tests.support.http import Answer
from tests.support.openapi import Contract

PASSWORD = "correct horse battery staple"
JSON = ("content-type", "application/json")
EVENT = {"specversion": "1.0", "id": "1", "source": "test", "type": "click", "data": {"a": 1}}


class Checked:
    """A role whose every answer is compared with its document."""

    def __init__(self, app: FunctionApp, role: str) -> None:
        self.app = app
        self.contract = Contract(json.loads(openapi_document(role)))

    async def ask(self, method: str, path: str, *headers: tuple[str, str], body: Any = None, at: str = "") -> Answer:
        """Send a request to `at`, else to the path itself; a body that is no bytes is sent as JSON."""
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        answer = await call(self.app, method, at or path, headers, content)
        self.contract.check(method, path, answer)
        return answer

    def assert_complete(self, *paths: tuple[str, str]) -> None:
        """Fail when a documented status of these operations was never given."""
        assert {each: unseen for each in paths if (unseen := self.contract.unseen(*each))} == {}


@pytest.fixture
def settings(database_url: str, broker: str) -> Settings:
    """Settings with the test's database and broker; nobody has logged in yet."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("TRUNCATE users, refresh_tokens CASCADE")
    return Settings(
        _env_file=None,
        database_url=SecretStr(database_url),
        kafka_bootstrap_servers=broker,
        auth_admin_password=SecretStr(PASSWORD),
        max_body_bytes=4096,
    )


async def checked(function: Function) -> AsyncIterator[Checked]:
    """Lend a role as an application."""
    app = FunctionApp(function, MetricsPage(CollectorRegistry(), address="127.0.0.1", port=0))
    yield Checked(app, function.name)
    await app.close()


@pytest.fixture
async def emit(settings: Settings) -> AsyncIterator[Checked]:
    """The role emit."""
    async for role in checked(Emit(settings, CollectorRegistry())):
        yield role


@pytest.fixture
async def auth(settings: Settings) -> AsyncIterator[Checked]:
    """The role auth."""
    async for role in checked(Auth(settings, CollectorRegistry(), LocalLimiter())):
        yield role


def token(settings: Settings, scope: str) -> str:
    """Return an access token with one scope."""
    return Tokens(KeyRing.of(settings)).issue("tester", (scope,), TokenType.ACCESS, now=datetime.now(UTC))


def bearer(settings: Settings, scope: str) -> tuple[str, str]:
    """Return the header of a request with that token."""
    return "authorization", f"Bearer {token(settings, scope)}"


@pytest.mark.parametrize("path", ["/", "/emit"])
async def test_emit_answers_as_documented(emit: Checked, settings: Settings, path: str) -> None:
    """What emit answers to samples, events, batches and mistakes stands in its document."""
    key = ("x-api-key", settings.emit_api_key.get_secret_value())
    one, many = (("content-type", f"application/cloudevents{kind}+json") for kind in ("", "-batch"))
    await emit.ask("POST", path, key)
    await emit.ask("POST", path, key, JSON, body={"count": 3})
    await emit.ask("POST", path, key, many, body=[EVENT, {"id": "broken"}])
    await emit.ask("POST", path, key, JSON, body={"count": 0})
    await emit.ask("POST", path)
    await emit.ask("POST", path, ("authorization", f"Bearer {token(settings, 'replay')}"))
    await emit.ask("POST", path, key, one, body=b"x" * 5000)
    await emit.ask("POST", path, key, ("content-type", "text/plain"), body=b"x")
    await emit.ask("POST", path, key, one, body={**EVENT, "data": {"session_id": "x" * 2000}})
    emit.assert_complete(("POST", path))


async def test_auth_answers_as_documented(auth: Checked) -> None:
    """What auth answers about tokens good and bad stands in its document."""
    post, text = "POST", ("content-type", "text/plain")
    pair = (await auth.ask(post, "/auth/token", JSON, body={"username": "admin", "password": PASSWORD})).json
    await auth.ask(post, "/auth/token", JSON, body={"username": "admin", "password": "x"})
    await auth.ask(post, "/auth/token", JSON, body={"username": "\u0000", "password": "x"})
    pair = (await auth.ask(post, "/auth/refresh", JSON, body={"refresh_token": pair["refresh_token"]})).json
    await auth.ask(post, "/auth/refresh", JSON, body={"refresh_token": "x"})
    bearer = ("authorization", f"Bearer {pair['access_token']}")
    await auth.ask("GET", "/auth/verify", bearer)
    await auth.ask("GET", "/auth/verify")
    await auth.ask(post, "/auth/verify", JSON, body={"token": pair["access_token"]})
    await auth.ask(post, "/auth/verify", JSON, body={"token": "x"})
    await auth.ask(post, "/auth/revoke", JSON, body={"token": "x"})
    await auth.ask(post, "/auth/revoke", bearer)
    for path in ("/auth/token", "/auth/refresh", "/auth/verify", "/auth/revoke"):
        await auth.ask(post, path, JSON, body={"unknown": 1})
        await auth.ask(post, path, JSON, body=b"x" * 20_000)
        await auth.ask(post, path, text, body=b"x")
    auth.assert_complete(*((method, path) for method, path in auth.contract.operations() if path.startswith("/auth")))


async def test_dead_letters_are_shown_as_documented(site: Site, settings: Settings, rejected: list[UUID]) -> None:
    """What replay-dlq answers about dead letters stands in its document."""
    role, mine, other = Checked(site.app, "replay-dlq"), bearer(settings, "replay"), bearer(settings, "signals:read")
    listed, one = "/dead-letters", "/dead-letters/{dlq_id}"
    found = (await role.ask("GET", listed, mine, at=f"{listed}?limit=2")).json["dead_letters"]
    assert len(found) < len(rejected)
    await role.ask("GET", listed, mine, at=f"{listed}?ids=x")
    await role.ask("GET", one, mine, at=f"{listed}/{found[0]['dlq_id']}")
    await role.ask("GET", one, mine, at=f"{listed}/{uuid4()}")
    for path, at in ((listed, listed), (one, f"{listed}/{uuid4()}")):
        await role.ask("GET", path, other, at=at)
        await role.ask("GET", path, at=at)
    role.assert_complete(("GET", listed), ("GET", one))


async def test_replays_are_ordered_as_documented(site: Site, settings: Settings, rejected: list[UUID]) -> None:
    """What replay-dlq answers about plans and jobs stands in its document."""
    role, mine, other = Checked(site.app, "replay-dlq"), bearer(settings, "replay"), bearer(settings, "signals:read")
    jobs, one, switch = "/jobs", "/jobs/{job_id}", "/jobs/{job_id}/{action}"
    plan = (await role.ask("POST", "/replay", mine, body={"filter": {"class": "rejected"}})).json
    assert plan["count"] == len(rejected)
    job = (await role.ask("POST", "/replay", mine, body={"plan": plan["plan"]})).json["job"]
    await role.ask("POST", "/replay", mine, body={"plan": plan["plan"]})
    await role.ask("POST", "/replay", mine, body={"limit": 0})
    await role.ask("POST", "/replay", mine, body=b"x" * 70_000)
    await role.ask("GET", jobs, mine)
    await role.ask("GET", jobs, mine, at=f"{jobs}?limit=0")
    await role.ask("GET", one, mine, at=f"{jobs}/{job}")
    await role.ask("GET", one, mine, at=f"{jobs}/{uuid4()}")
    for action in ("pause", "resume", "cancel", "resume", "restart"):
        await role.ask("POST", switch, mine, at=f"{jobs}/{job}/{action}")
    asked = (("POST", "/replay", "/replay"), ("GET", jobs, jobs), ("GET", one, f"{jobs}/{job}"))
    for method, path, at in (*asked, ("POST", switch, f"{jobs}/{job}/pause")):
        await role.ask(method, path, other, at=at)
        await role.ask(method, path, at=at)
    role.assert_complete(*((method, path) for method, path, _ in asked), ("POST", switch))


async def test_dead_letters_are_taken_as_documented(site: Site, settings: Settings) -> None:
    """What replay-dlq answers to the trigger of dead letters stands in its document."""
    role = Checked(site.app, "replay-dlq")
    one, many = (("content-type", f"application/cloudevents{kind}+json") for kind in ("", "-batch"))
    await role.ask("POST", "/", one, body=EVENT)
    await role.ask("POST", "/", many, body=[EVENT, {"id": "broken"}])
    await role.ask("POST", "/", one, body={"id": "broken"})
    await role.ask("POST", "/", one, body=b"x" * (settings.max_body_bytes + 5 * 1024**2))
    await role.ask("POST", "/", JSON, body={})
    role.assert_complete(("POST", "/"))


async def test_the_schedule_is_answered_as_documented(kafka: KafkaBroker, database_url: str) -> None:
    """What replay-dlq answers to the schedule, and its statistics, stand in its document."""
    settings = kafka.settings.model_copy(update={"database_url": SecretStr(database_url)})
    await asyncio.to_thread(apply_topics, settings)
    async for role in checked(ReplayDlq(settings, CollectorRegistry())):
        for method, path in (("POST", "/tick"), ("GET", "/stats")):
            await asyncio.wait_for(_until_served(role, method, path), 30)
        role.assert_complete(("POST", "/tick"), ("GET", "/stats"))


async def _until_served(role: Checked, method: str, path: str) -> None:
    """Ask until the broker is ready: its new topics have no leader for a moment, and its groups no coordinator."""
    while True:
        if (await role.ask(method, path)).status != 503:
            return
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("kind", [ProcessSignal, DetectAnomaly, ConfirmOutbox])
async def test_events_are_taken_as_documented(kind: type[Function], settings: Settings) -> None:
    """What the roles that triggers call answer to events stands in their documents."""
    one, many = (("content-type", f"application/cloudevents{kind}+json") for kind in ("", "-batch"))
    nobody = {**EVENT, "type": "dev.knative.kafka.event", "data": {}}
    outbox = {**EVENT, "id": str(uuid4()), "time": "2026-01-01T00:00:00Z"}
    async for role in checked(kind(settings, CollectorRegistry())):
        await role.ask("POST", "/", one, body=outbox)
        await role.ask("POST", "/", many, body=[outbox, {"id": "broken"}])
        await role.ask("POST", "/", one, body=nobody)
        await role.ask("POST", "/", one, body={"id": "broken"})
        await role.ask("POST", "/", many, body=b"{")
        await role.ask("POST", "/", one, body=b"x" * (settings.max_body_bytes + 1))
        await role.ask("POST", "/", JSON, body={})
        role.assert_complete(("POST", "/"))


async def test_purging_is_answered_as_documented(settings: Settings) -> None:
    """What process-signal answers to the schedule stands in its document."""
    async for role in checked(ProcessSignal(settings, CollectorRegistry())):
        await role.ask("POST", "/purge")
        role.assert_complete(("POST", "/purge"))


async def test_contracts_are_served_as_documented(emit: Checked) -> None:
    """What producers and consumers look for, emit serves to everyone: the contracts of the topics."""
    paths = [path for _, path in emit.contract.operations() if path.startswith(("/schemas", "/asyncapi"))]
    assert len(paths) == 4
    for path in paths:
        await emit.ask("GET", path)
        emit.assert_complete(("GET", path))
