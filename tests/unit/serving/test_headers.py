"""The headers of every answer, and which pages may read it."""

import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from signal_pipeline.serving.headers import SafeHeaders, origins_of
from tests.support.asgi import call

PAGE = ("origin", "https://app.example.com")
PREFLIGHT = [PAGE, ("access-control-request-method", "POST")]
CORS = "access-control-allow-origin"


async def _app(scope: Scope, receive: Receive, send: Send) -> None:
    await Response("{}", 418)(scope, receive, send)


def guarded(origins: str = "") -> SafeHeaders:
    """Return an application that answers 418, behind the middleware."""
    return SafeHeaders(_app, origins_of(origins))


async def test_every_answer_is_inert() -> None:
    """An answer is not sniffed, loads nothing, stands in no frame and in no cache; it says nothing of the server."""
    answer = await call(guarded(), "GET", "/")
    assert answer.status == 418
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert answer.headers["cache-control"] == "no-store"
    assert {"server", "date", "strict-transport-security", CORS, "vary"} & set(answer.headers) == set()


async def test_https_is_remembered() -> None:
    """Only where the request came over TLS a browser is told to use nothing else."""
    inner = guarded()

    async def over_tls(scope: Scope, receive: Receive, send: Send) -> None:
        await inner({**scope, "scheme": "https"}, receive, send)

    assert "max-age=" in (await call(over_tls, "GET", "/")).headers["strict-transport-security"]


@pytest.mark.parametrize(
    "origin",
    ["https://app.example.com.evil.org", "http://app.example.com", "https://app.example.com:8443", "null", "*", ""],
)
async def test_other_origins_may_not_read(origin: str) -> None:
    """An origin is allowed only when it is exactly one that the setting names; a preflight of another is not one."""
    app = guarded("https://app.example.com")
    for headers in ([("origin", origin)], [("origin", origin), *PREFLIGHT[1:]]):
        answer = await call(app, "OPTIONS", "/", headers)
        assert (answer.status, answer.headers["vary"]) == (418, "Origin")
        assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_a_named_origin_may_read_without_cookies() -> None:
    """A page of a named origin reads the answer and the headers that tell when to come back; never with credentials."""
    answer = await call(guarded("https://other.example, https://app.example.com/"), "GET", "/", [PAGE])
    assert (answer.headers[CORS], answer.headers["vary"]) == (PAGE[1], "Origin")
    assert "Retry-After" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in answer.headers


async def test_a_preflight_is_answered_at_the_edge() -> None:
    """A page may send events with attributes as headers, and a key; other headers are not allowed."""
    asked = ("access-control-request-headers", "x-api-key, ce-id,Ce-Type, x-forwarded-for, ce-bad_name, cookie")
    answer = await call(guarded("https://app.example.com"), "OPTIONS", "/", [*PREFLIGHT, asked])
    assert answer.status == 204
    assert answer.headers["access-control-allow-headers"] == "ce-id, ce-type, x-api-key"
    assert answer.headers["access-control-allow-methods"] == "GET, HEAD, POST"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_without_a_setting_there_is_no_cors() -> None:
    """By default no page may read anything, and no preflight is answered."""
    answer = await call(guarded(), "OPTIONS", "/", PREFLIGHT)
    assert answer.status == 418
    assert CORS not in answer.headers


async def test_a_wildcard_allows_every_origin() -> None:
    """`*`, which production refuses, lets every page read."""
    assert (await call(guarded("*"), "GET", "/", [PAGE])).headers[CORS] == "*"
