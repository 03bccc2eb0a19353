"""Who is let in: credentials, scopes and limits are looked at before the body, on every route of every function."""

import base64
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.applications import Starlette
from starlette.routing import Route

from signal_pipeline.observability.metrics import function_registry
from signal_pipeline.roles.application import build_application
from signal_pipeline.security.keys import KeyRing
from signal_pipeline.security.tokens import AUDIENCE, ISSUER, Tokens, TokenType
from signal_pipeline.serving.app import FunctionApp
from signal_pipeline.serving.metrics_page import MetricsPage
from signal_pipeline.settings import Settings
from signal_pipeline.topology import ROLES
from tests.contract.emit_app import BATCH, EVENT, JSON, KEY, SETTINGS, EmitToList, RecordingProducer, post
from tests.support.asgi import call

# Nothing listens on port 1: the database and Redis are away, which no decision below needs.
_AWAY = {
    "database_url": "postgresql://nobody:nothing@127.0.0.1:1/none",
    "redis_url": "redis://127.0.0.1:1/0",
    "kafka_bootstrap_servers": "127.0.0.1:1",
    "trigger_metrics_url": "-",
}
_JWT_KEY = SETTINGS.jwt_secret_key.get_secret_value()
SERVICE_KEY = ("x-api-key", SETTINGS.service_api_keys[0])
# What anybody may ask: whether it lives, and the routes by which a credential is got or given back.
_OPEN = {"/health", "/_/health", "/health/liveness", "/ready", "/_/ready", "/health/readiness"} | {
    f"/auth/{operation}" for operation in ("token", "refresh", "revoke", "verify")
}


def _claims(**change: Any) -> dict[str, Any]:
    now = int(datetime.now(UTC).timestamp())
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "jti": "7d444840-9dc0-11d1-b245-5ffdce74fad2"}
    return {**good, "typ": "access", "scope": "signals:write", "iat": now, "exp": now + 600, **change}


def _encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def _message(claims: dict[str, Any], **header: Any) -> str:
    parts = ({"alg": "HS256", "typ": "JWT", **header}, claims)
    return ".".join(_encoded(json.dumps(part).encode()) for part in parts)


def _signed(claims: dict[str, Any], key: bytes = _JWT_KEY.encode(), **header: Any) -> str:
    """Sign with HS256 by hand: a library would refuse to forge."""
    message = _message(claims, **header)
    return f"{message}.{_encoded(hmac.digest(key, message.encode(), 'sha256'))}"


@cache
def _private_key() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


def _forged() -> Iterator[tuple[str, str]]:
    """Yield rows 1 to 7 of the abuse matrix as an Authorization header."""
    now = int(datetime.now(UTC).timestamp())
    public = _private_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    yield "row 1: no scheme", _signed(_claims())
    yield "row 1: basic", "Basic YWRtaW46YWRtaW4="
    yield "row 1: empty", "Bearer "
    yield "row 1: two tokens", f"Bearer {_signed(_claims())} {_signed(_claims())}"
    yield from (
        (f"row 2: {name}", f"Bearer {_message(_claims(), alg=name)}.") for name in ("none", "None", "nOnE", "NONE", "")
    )
    yield "row 3: public key as secret", f"Bearer {_signed(_claims(), public)}"
    yield "row 3: RS256", f"Bearer {jwt.encode(_claims(), _private_key(), 'RS256')}"
    yield "row 3: JWK document as secret", f"Bearer {_signed(_claims(), json.dumps({'keys': []}).encode())}"
    for kid in ("../../dev/null", "' OR 1=1 --", "x" * 4000, "unknown"):
        yield f"row 4: kid {kid[:20]}", f"Bearer {_signed(_claims(), kid=kid)}"
    for name in ("jku", "x5u"):
        yield f"row 4: {name}", f"Bearer {_signed(_claims(), **{name: 'http://127.0.0.1:1/keys'})}"
    yield "row 4: jwk", f"Bearer {_signed(_claims(), jwk={'kty': 'oct', 'k': 'AAAA'})}"
    yield "row 5: crit", f"Bearer {_signed(_claims(), crit=['exp'])}"
    yield "row 5: b64", f"Bearer {_signed(_claims(), b64=False, crit=['b64'])}"
    yield "row 5: dots", f"Bearer {_signed(_claims()).replace('.', '')}"
    yield "row 5: 1 MB", f"Bearer {'a' * 1024**2}"
    yield "row 6: expired", f"Bearer {_signed(_claims(iat=now - 900, exp=now - 60))}"
    yield "row 6: nbf", f"Bearer {_signed(_claims(nbf=now + 300))}"
    yield "row 6: iat", f"Bearer {_signed(_claims(iat=now + 300))}"
    yield "row 6: no exp", f"Bearer {_signed({k: v for k, v in _claims().items() if k != 'exp'})}"
    yield "row 6: exp as text", f"Bearer {_signed(_claims(exp=str(now + 600)))}"
    yield "row 6: lifetime", f"Bearer {_signed(_claims(exp=now + 3600))}"
    yield "row 7: aud", f"Bearer {_signed(_claims(aud='another'))}"
    yield "row 7: iss", f"Bearer {_signed(_claims(iss='another'))}"
    yield "row 7: refresh", f"Bearer {_signed(_claims(typ='refresh'))}"


@pytest.mark.parametrize("name", [name for name, _ in _forged()])
async def test_a_forged_token_is_refused(name: str, emit: FunctionApp, producer: RecordingProducer) -> None:
    """Rows 1 to 7: 401 with the way to authenticate, nothing produced, no word about the reason."""
    value = dict(_forged())[name]  # made now: a token of the collection would have expired meanwhile
    answer = await call(emit, "POST", "/emit", [("authorization", value)])
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert len(value) < 20 or value not in answer.body.decode()
    assert producer.records == []


async def test_a_token_with_our_audience_among_others_is_taken(emit: FunctionApp) -> None:
    """Row 7: and so is one without `kid`, from another issuer that shares the key."""
    token = _signed(_claims(aud=["another", AUDIENCE]))
    assert (await call(emit, "POST", "/emit", [("authorization", f"Bearer {token}")])).status == 202


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [KEY, KEY],
        [KEY, ("authorization", "Bearer x.y.z")],
        [("x-api-key", "wrong")],
        [("x-api-key", KEY[1][:-1])],
        [("x-api-key", KEY[1] + "x")],
        [("x-api-key", KEY[1].upper())],
        [("x-api-key", "")],
        [("x-api-key", "\xff\xfe")],
        [("x-api-key", "x" * 100_000)],
    ],
    ids=["none", "twice", "two kinds", "wrong", "prefix", "suffix", "case", "empty", "no ASCII", "long"],
)
async def test_a_wrong_key_is_refused(
    headers: list[tuple[str, str]], emit: FunctionApp, producer: RecordingProducer
) -> None:
    """Rows 1 and 11: one credential, exactly right."""
    answer = await call(emit, "POST", "/emit", headers)
    assert (answer.status, producer.records) == (401, [])
    assert "www-authenticate" in answer.headers


async def test_a_key_in_the_query_string_is_not_looked_at(emit: FunctionApp) -> None:
    """Row 11: addresses end up in logs."""
    assert (await call(emit, "POST", f"/emit?x-api-key={KEY[1]}&api_key={KEY[1]}")).status == 401


@pytest.mark.parametrize("scope", ["", "replay", "signals:read", "signals:writer", "signals"])
async def test_a_token_without_the_scope_may_not(scope: str, emit: FunctionApp, producer: RecordingProducer) -> None:
    """Row 12: known, and yet not allowed."""
    token = Tokens(KeyRing([_JWT_KEY])).issue("ann", scope.split(), TokenType.ACCESS, now=datetime.now(UTC))
    answer = await call(emit, "POST", "/emit", [("authorization", f"Bearer {token}")])
    assert (answer.status, answer.json["code"], producer.records) == (403, "forbidden", [])


async def test_the_body_of_a_stranger_is_not_read(emit: FunctionApp) -> None:
    """Whoever may not post must not make us read four megabytes first."""

    def body() -> Iterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    assert (await call(emit, "POST", "/emit", [JSON], body())).status == 401


def _secured(role: str, **changes: str) -> FunctionApp:
    return build_application(role, Settings(_env_file=None, **(_AWAY | {"security": "on"} | changes)))


def _routes(app: FunctionApp) -> list[Route]:
    inner = app._app._app  # type: ignore[attr-defined]
    while not isinstance(inner, Starlette):
        inner = inner.app if hasattr(inner, "app") else inner._app
    return [route for route in inner.routes if isinstance(route, Route)]


@pytest.mark.parametrize("role", [role.name for role in ROLES])
async def test_every_route_of_every_function_asks_for_a_credential(role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A route that somebody adds is behind a rule, or stands in the short list of open ones above."""
    monkeypatch.setattr(MetricsPage, "start", lambda _: None)
    app = _secured(role)
    for route in _routes(app):
        if route.path in _OPEN:
            continue
        for method in sorted((route.methods or set()) - {"HEAD"}):
            for headers in ([], [("authorization", "Bearer x.y.z")], [("x-api-key", "wrong")]):
                answer = await call(app, method, route.path.replace("{", "").replace("}", ""), headers)
                assert answer.status == 401, (method, route.path, headers)
    await app.close()


@pytest.mark.parametrize("role", ["process-signal", "detect-anomaly", "confirm-outbox", "replay-dlq"])
async def test_only_a_trigger_may_call_what_triggers_call(role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 1 for the inner functions: emit's key opens none of them, the service key does."""
    monkeypatch.setattr(MetricsPage, "start", lambda _: None)
    app = _secured(role)
    refused = await call(app, "POST", "/", [KEY, JSON], b"{}")
    let_in = await call(app, "POST", "/", [SERVICE_KEY, ("content-type", "text/xml")], b"<x/>")
    assert refused.status in {401, 403}
    assert let_in.status == 415
    await app.close()


async def test_with_security_off_only_people_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The laptop's default: triggers need nothing, /emit and the replay API always do."""
    monkeypatch.setattr(MetricsPage, "start", lambda _: None)
    app = build_application("replay-dlq", Settings(_env_file=None, **_AWAY))
    assert (await call(app, "POST", "/", [("content-type", "text/xml")], b"<x/>")).status == 415
    assert (await call(app, "GET", "/openapi.json")).status == 200
    for method, path in (("GET", "/dead-letters"), ("POST", "/replay"), ("GET", "/jobs"), ("POST", "/jobs/1/pause")):
        assert (await call(app, method, path)).status == 401
    await app.close()


async def test_a_stranger_learns_nothing_from_the_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 45: whether it is ready, for the platform; on what it depends, for those who may know."""
    monkeypatch.setattr(MetricsPage, "start", lambda _: None)
    app = _secured("confirm-outbox")
    stranger, known = await call(app, "GET", "/ready"), await call(app, "GET", "/ready", [SERVICE_KEY])
    assert (stranger.status, known.status) == (503, 503)
    assert stranger.json == {"status": "not ready", "role": "confirm-outbox"}
    assert "postgres" in known.json["checks"]
    assert (await call(app, "GET", "/metrics", [SERVICE_KEY])).status == 200
    await app.close()


def _limited(producer: RecordingProducer, **changes: Any) -> FunctionApp:
    function = EmitToList(producer, Settings(_env_file=None, **(_AWAY | changes)))
    return FunctionApp(function, MetricsPage(function_registry("emit"), address="127.0.0.1", port=0))


async def test_beyond_the_limit_a_caller_is_told_when_to_come_back(producer: RecordingProducer) -> None:
    """Row 15: 429 with Retry-After; what was let in is counted down in the headers; Redis is away."""
    app = _limited(producer, rate_limit_per_key=5, rate_limit_burst_seconds=1.0)
    answers = [await post(app) for _ in range(7)]
    assert [answer.status for answer in answers] == [202] * 5 + [429] * 2
    assert [answer.headers["ratelimit-remaining"] for answer in answers[:5]] == ["4", "3", "2", "1", "0"]
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert answers[-1].json["code"] == "rate_limited"
    assert len(producer.records) == 5


async def test_what_is_forbidden_counts_too(producer: RecordingProducer) -> None:
    """Each such request is a question to the database: a credential without the scope is no way around the limits."""
    app = _limited(producer, rate_limit_per_key=5, rate_limit_burst_seconds=1.0)
    token = Tokens(KeyRing([_JWT_KEY])).issue("ann", ["replay"], TokenType.ACCESS, now=datetime.now(UTC))
    answers = [await call(app, "POST", "/emit", [("authorization", f"Bearer {token}")]) for _ in range(7)]
    assert [answer.status for answer in answers] == [403] * 5 + [429] * 2


async def test_a_batch_costs_as_many_as_it_has_events(producer: RecordingProducer) -> None:
    """A caller cannot hide a thousand events in one request."""
    app = _limited(producer, rate_limit_per_address=10, rate_limit_burst_seconds=1.0)
    batch = [EVENT | {"id": str(number)} for number in range(8)]
    assert (await post(app, batch, BATCH)).status == 202
    assert (await post(app, batch, BATCH)).status == 429
    assert (await post(app, {"count": 50}, JSON)).status == 413  # more than ever fit through at once
    assert len(producer.records) == 8


async def test_triggers_are_not_limited(producer: RecordingProducer) -> None:
    """The pipeline's own parts have their own ways to hold back."""
    app = _limited(producer, rate_limit_per_key=1, rate_limit_per_address=1, rate_limit_burst_seconds=1.0)
    for _ in range(5):
        assert (await call(app, "POST", "/emit", [SERVICE_KEY])).status == 202


async def test_keys_overlap_while_they_are_exchanged(producer: RecordingProducer) -> None:
    """Several values of a key are all taken."""
    app = _limited(producer, emit_api_key="new-key, old-key")
    for key, status in (("new-key", 202), ("old-key", 202), ("new-key, old-key", 401), ("other", 401)):
        assert (await call(app, "POST", "/emit", [("x-api-key", key)])).status == status
