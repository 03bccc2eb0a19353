"""auth against PostgreSQL: a login from its first token to its end."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from signal_pipeline.roles.auth import Auth
from signal_pipeline.security.keys import KeyRing
from signal_pipeline.security.limits import LocalLimiter
from signal_pipeline.security.tokens import Tokens, TokenType
from signal_pipeline.serving.app import FunctionApp
from signal_pipeline.serving.metrics_page import MetricsPage
from signal_pipeline.settings import Settings
from tests.support.asgi import call
from tests.support.http import Answer

JSON = [("content-type", "application/json")]
PASSWORD = "correct horse battery staple"


@pytest.fixture
def settings(database_url: str) -> Settings:
    """Settings with the test's database and a password of its own; nobody has logged in yet."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("TRUNCATE users, refresh_tokens CASCADE")
    return Settings(_env_file=None, database_url=database_url, auth_admin_password=PASSWORD)


@pytest.fixture
async def auth(settings: Settings) -> AsyncIterator[FunctionApp]:
    """The role auth as an application."""
    registry = CollectorRegistry()
    app = FunctionApp(Auth(settings, registry, LocalLimiter()), MetricsPage(registry, address="127.0.0.1", port=0))
    yield app
    await app.close()


async def post(auth: FunctionApp, operation: str, **fields: Any) -> Answer:
    """Call one of the four operations."""
    return await call(auth, "POST", f"/auth/{operation}", JSON, json.dumps(fields).encode())


async def log_in(auth: FunctionApp, password: str = PASSWORD) -> Answer:
    """Ask for the first pair of tokens."""
    return await post(auth, "token", username="admin", password=password)


async def accepted(auth: FunctionApp, access_token: str) -> bool:
    """Tell whether an access token is good."""
    return (await post(auth, "verify", token=access_token)).status == 200


def age_spent_tokens(settings: Settings) -> None:
    """Let the seconds pass in which a spent token may be sent again."""
    with psycopg.connect(settings.database_url.get_secret_value(), autocommit=True) as connection:
        connection.execute("UPDATE refresh_tokens SET used_at = used_at - interval '6 seconds'")


def assert_refused(answer: Answer, code: str | None = None) -> None:
    """Check that a credential was refused as every function refuses one."""
    assert (answer.status, answer.headers["www-authenticate"][:6]) == (401, "Bearer")
    assert code is None or answer.json["code"] == code


async def test_a_login_from_beginning_to_end(auth: FunctionApp) -> None:
    """A password gives a pair, the pair is good, refreshing gives another, and after revocation neither is."""
    first = await log_in(auth)
    assert (first.status, first.headers["cache-control"]) == (200, "no-store")
    pair = first.json
    assert (pair["token_type"], pair["expires_in"]) == ("Bearer", 900)
    said = (await post(auth, "verify", token=pair["access_token"])).json
    assert (said["active"], said["sub"]) == (True, "admin")
    assert set(said["scope"].split()) == {"signals:write", "signals:read", "replay", "admin"}
    second = (await post(auth, "refresh", refresh_token=pair["refresh_token"])).json
    assert await accepted(auth, second["access_token"])
    assert (await post(auth, "revoke", refresh_token=second["refresh_token"])).status == 204
    for old in (pair, second):
        assert_refused(await post(auth, "refresh", refresh_token=old["refresh_token"]))
        assert_refused(await post(auth, "verify", token=old["access_token"]), "revoked_token")


async def test_an_access_token_is_taken_from_the_authorization_header(auth: FunctionApp) -> None:
    """Bearer serves verification by GET and POST, and ends the login that the token came from."""
    bearer = [("authorization", f"Bearer {(await log_in(auth)).json['access_token']}")]
    assert (await call(auth, "GET", "/auth/verify", bearer)).json["sub"] == "admin"
    assert (await call(auth, "POST", "/auth/verify", bearer)).json["sub"] == "admin"
    assert (await call(auth, "POST", "/auth/revoke", bearer)).status == 204
    assert_refused(await call(auth, "GET", "/auth/verify", bearer), "revoked_token")
    assert_refused(await call(auth, "GET", "/auth/verify", []))


async def test_wrong_passwords(auth: FunctionApp) -> None:
    """A wrong password and an unknown user are refused by the same words, and nothing is stored."""
    wrong = await log_in(auth, PASSWORD.upper())
    unknown = await post(auth, "token", username="nobody", password=PASSWORD)
    for answer in (wrong, unknown):
        assert_refused(answer, "invalid_credentials")
    assert wrong.json["detail"] == unknown.json["detail"]


async def test_the_settings_password_counts(auth: FunctionApp, settings: Settings) -> None:
    """A changed setting changes the password of the user admin at the next start."""
    assert (await log_in(auth)).status == 200
    changed = settings.model_copy(update={"auth_admin_password": type(settings.auth_admin_password)("another")})
    registry = CollectorRegistry()
    later = FunctionApp(Auth(changed, registry, LocalLimiter()), MetricsPage(registry, address="127.0.0.1", port=0))
    assert (await log_in(later, "another")).status == 200
    assert_refused(await log_in(later))
    await later.close()


async def test_a_spent_token_ends_the_login(auth: FunctionApp, settings: Settings) -> None:
    """A refresh token that comes back after its grace was stolen from someone: everything of that login ends."""
    first = (await log_in(auth)).json
    second = (await post(auth, "refresh", refresh_token=first["refresh_token"])).json
    other = (await log_in(auth)).json
    age_spent_tokens(settings)
    assert_refused(await post(auth, "refresh", refresh_token=first["refresh_token"]), "invalid_refresh_token")
    assert_refused(await post(auth, "refresh", refresh_token=second["refresh_token"]), "invalid_refresh_token")
    assert not await accepted(auth, second["access_token"])
    assert (await post(auth, "refresh", refresh_token=other["refresh_token"])).status == 200


async def test_a_successor_in_use_ends_the_grace(auth: FunctionApp) -> None:
    """Once the successor was used, its owner has it: whoever sends the old token, however soon, is someone else."""
    first = (await log_in(auth)).json
    second = (await post(auth, "refresh", refresh_token=first["refresh_token"])).json
    third = (await post(auth, "refresh", refresh_token=second["refresh_token"])).json
    assert_refused(await post(auth, "refresh", refresh_token=first["refresh_token"]))
    assert_refused(await post(auth, "refresh", refresh_token=third["refresh_token"]))


async def test_refreshing_at_once(auth: FunctionApp, settings: Settings) -> None:
    """Many refreshes with one token at once all get the same successor, and the login goes on."""
    first = (await log_in(auth)).json
    answers = await asyncio.gather(
        *(post(auth, "refresh", refresh_token=first["refresh_token"]) for _ in range(8)),
    )
    assert [answer.status for answer in answers] == [200] * 8
    tokens = Tokens(KeyRing.of(settings))
    ids = {tokens.verify(answer.json["refresh_token"], TokenType.REFRESH).token_id for answer in answers}
    assert len(ids) == 1
    assert (await post(auth, "refresh", refresh_token=answers[3].json["refresh_token"])).status == 200


async def test_tokens_that_are_not_ours(auth: FunctionApp, settings: Settings) -> None:
    """Expired, unknown, unsigned tokens and those of the other type are refused everywhere."""
    pair = (await log_in(auth)).json
    tokens = Tokens(KeyRing.of(settings))
    now = datetime.now(UTC)
    stranger = Tokens(KeyRing(["another-key-with-more-than-32-characters-in-it"]))
    bad_refresh = [
        pair["access_token"],
        tokens.issue("admin", (), TokenType.REFRESH, now=now, token_id=uuid4()),
        tokens.issue("admin", (), TokenType.REFRESH, now=now - timedelta(days=8)),
        stranger.issue("admin", (), TokenType.REFRESH, now=now),
        "eyJhbGciOiJub25lIn0.e30.",
        "x",
    ]
    for token in bad_refresh:
        assert_refused(await post(auth, "refresh", refresh_token=token))
    bad_access = [
        pair["refresh_token"],
        tokens.issue("admin", ["admin"], TokenType.ACCESS, now=now - timedelta(minutes=16)),
        stranger.issue("admin", ["admin"], TokenType.ACCESS, now=now),
        "eyJhbGciOiJub25lIn0.e30.",
    ]
    for token in bad_access:
        assert_refused(await post(auth, "verify", token=token))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b'{"username":"admin"}', 400),
        (b'{"username":"admin","password":5}', 400),
        (b'{"username":"admin","password":""}', 400),
        (b'{"username":"admin","password":"x","role":"admin"}', 400),
        (b'{"username":"' + b"x" * 257 + b'","password":"x"}', 400),
        (b'{"username":"\\ud800","password":"x"}', 400),
        (b'{"username":"\\u0000","password":"x"}', 422),
        (b'{"username":"admin","password":"' + b"x" * 20_000 + b'"}', 413),
    ],
)
async def test_malformed_requests(auth: FunctionApp, body: bytes, status: int) -> None:
    """A request that is not what the operation takes is refused, and no value of it is repeated."""
    answer = await call(auth, "POST", "/auth/token", JSON, body)
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json"), answer.body
    assert b"xxx" not in answer.body


async def test_secrets_are_stored_as_hashes(auth: FunctionApp, settings: Settings) -> None:
    """Neither the password nor a refresh token can be read from the tables."""
    pair = (await log_in(auth)).json
    with psycopg.connect(settings.database_url.get_secret_value()) as connection:
        (stored,) = connection.execute("SELECT string_agg(u::text || t::text, '') FROM users u, refresh_tokens t")
    assert PASSWORD not in stored[0]
    assert pair["refresh_token"] not in stored[0]
    assert "$argon2id$" in stored[0]
