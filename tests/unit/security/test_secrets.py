"""API keys and passwords."""

import asyncio
import threading

import pytest

from signal_pipeline.errors import Overloaded
from signal_pipeline.security import passwords as module
from signal_pipeline.security.api_keys import matches_any
from signal_pipeline.security.passwords import Passwords

KEY = "dev-test-key-123"


@pytest.mark.parametrize(
    ("given", "valid"),
    [
        (KEY, True),
        ("old-key", True),
        ("", False),
        (KEY[:-1], False),
        (KEY + "4", False),
        (KEY.upper(), False),
        (f" {KEY}", False),
        (f"{KEY},old-key", False),
        ("\xff" * 16, False),
    ],
)
def test_api_keys(given: str, valid: bool) -> None:  # noqa: FBT001 - an expected value
    """Exactly one of the keys."""
    assert matches_any(given, [KEY, "old-key"]) is valid


def test_an_empty_key_opens_nothing() -> None:
    """Without a configured key no request has the right one."""
    assert not matches_any("", [""])
    assert not matches_any("", [])


def test_a_key_may_have_any_characters() -> None:
    """A key beyond ASCII is compared as the UTF-8 that clients send, shown by servers as ISO 8859-1."""
    assert matches_any("schlüssel".encode().decode("latin-1"), ["schlüssel"])


async def test_passwords() -> None:
    """A password is known by its argon2id hash, and no one can be verified without a user."""
    passwords = Passwords()
    first, second = await passwords.hash("secret"), await passwords.hash("secret")
    assert first.startswith("$argon2id$")
    assert first != second
    assert await passwords.verify(first, "secret")
    assert await passwords.verify(second, "secret")
    assert not await passwords.verify(first, "Secret")
    assert not await passwords.verify(None, "secret")
    assert not await passwords.verify(None, "")
    assert not await passwords.verify("no hash", "secret")


async def test_the_line_before_passwords_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes when it is full is told to come back, at once; those in line are served, and then there is room."""
    gate = threading.Event()
    monkeypatch.setattr(Passwords, "_matches", lambda *_: gate.wait(10))
    passwords = Passwords()
    line = [asyncio.ensure_future(passwords.verify("hash", "x")) for _ in range(module._AT_ONCE + module._MOST_IN_LINE)]
    newcomer = asyncio.ensure_future(passwords.verify("hash", "x"))
    try:
        with pytest.raises(Overloaded):
            await asyncio.wait_for(newcomer, 5)
    finally:
        gate.set()
    assert all(await asyncio.gather(*line))
    assert await passwords.verify("hash", "x")
