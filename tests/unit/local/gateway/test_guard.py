"""Who may use /system."""

import base64
from typing import Any

import pytest
from pydantic import SecretStr

from local.gateway.guard import Guard
from signal_pipeline.settings import Settings

OPEN = Settings(_env_file=None)
LOCKED = OPEN.model_copy(update={"gateway_password": SecretStr("correct horse"), "login_attempts_per_minute": 3})


def scope(peer: str = "127.0.0.1", **headers: str) -> dict[str, Any]:
    """Return a request of a peer; `_` in a header's name is `-`."""
    found = {"host": "localhost:8080", **{name.replace("_", "-"): value for name, value in headers.items()}}
    raw = [(name.encode(), value.encode("latin-1")) for name, value in found.items() if value]
    return {"type": "http", "scheme": "http", "client": (peer, 5), "headers": raw}


def basic(user: str, password: str) -> str:
    """Return a credential."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8080", "127.0.0.1:8080", "127.9.9.9", "[::1]:8080", "LOCALHOST"]
)
async def test_this_machine_needs_no_password_in_development(host: str) -> None:
    """faas-cli without a login sends an empty Bearer: that is no credential, and none is needed."""
    assert await Guard(OPEN).refusal(scope(host=host, authorization="Bearer")) is None


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "0.0.0.0", "192.0.2.1", "[", "", "a:b:c"])
async def test_a_name_that_dns_can_turn_is_refused(host: str) -> None:
    """A page whose name was made to mean 127.0.0.1 still sends its own name."""
    refusal = await Guard(OPEN).refusal(scope(host=host))
    assert refusal is not None
    assert refusal[0] == 403


@pytest.mark.parametrize("peer", ["192.0.2.1", "10.0.0.1", "::ffff:192.0.2.1", "2001:db8::1", ""])
async def test_another_machine_needs_a_password(peer: str) -> None:
    """Where the gateway listens on more than 127.0.0.1 and has no password, nobody else gets in."""
    refusal = await Guard(OPEN).refusal(scope(peer))
    assert refusal is not None
    assert refusal[0] == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "https://localhost:8080"},
        {"origin": "http://localhost:8081"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
)
@pytest.mark.parametrize("settings", [OPEN, LOCKED], ids=["open", "locked"])
async def test_pages_of_other_origins_are_refused(settings: Settings, headers: dict[str, str]) -> None:
    """A browser would send them as its user, with the password that it remembers."""
    refusal = await Guard(settings).refusal(scope(authorization=basic("admin", "correct horse"), **headers))
    assert refusal == (403, "pages of other origins may not use the gateway")


async def test_a_page_of_its_own_origin_is_let_in() -> None:
    """Same scheme, name and port."""
    assert await Guard(OPEN).refusal(scope(origin="http://localhost:8080", sec_fetch_site="same-origin")) is None


async def test_admin_with_the_password_is_let_in_from_anywhere() -> None:
    """The name of the host does not matter then: whoever knows the password means to call."""
    guard = Guard(LOCKED)
    assert (
        await guard.refusal(scope("192.0.2.1", host="gw.example", authorization=basic("admin", "correct horse")))
        is None
    )


@pytest.mark.parametrize(
    "credential",
    [
        "",
        "Bearer",
        "Bearer correct horse",
        basic("admin", "wrong"),
        basic("root", "correct horse"),
        "Basic !",
        "Basic 4pyT",
    ],
)
async def test_everybody_else_is_not(credential: str) -> None:
    """Also on this machine."""
    assert await Guard(LOCKED).refusal(scope(authorization=credential)) == (401, "invalid credentials")


async def test_many_attempts_are_too_many_and_the_right_password_still_counts() -> None:
    """An address that guesses is told to stop; whoever knows the password is not locked out by that."""
    guard = Guard(LOCKED)
    wrong = scope(authorization=basic("admin", "wrong"))
    assert [(await guard.refusal(wrong) or (0,))[0] for _ in range(4)] == [401, 401, 401, 429]
    assert await guard.refusal(scope(authorization=basic("admin", "correct horse"))) is None
    other = await guard.refusal(scope("192.0.2.9", authorization=basic("admin", "wrong")))
    assert other == (401, "invalid credentials")


async def test_with_security_on_and_no_password_nobody_gets_in() -> None:
    """An empty password is none, not one that anybody knows."""
    guard = Guard(OPEN.model_copy(update={"security": "on"}))
    for credential in ("", basic("admin", "")):
        assert await guard.refusal(scope(authorization=credential)) == (401, "invalid credentials")
