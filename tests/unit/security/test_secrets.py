"""API keys and passwords."""

import pytest

from signal_pipeline.security.api_keys import has_valid_api_key
from signal_pipeline.security.passwords import Passwords

KEY = "dev-test-key-123"


@pytest.mark.parametrize(
    ("headers", "valid"),
    [
        ([("x-api-key", KEY)], True),
        ([("host", "x"), ("x-api-key", KEY)], True),
        ([], False),
        ([("x-api-key", "")], False),
        ([("x-api-key", KEY[:-1])], False),
        ([("x-api-key", KEY + "4")], False),
        ([("x-api-key", KEY.upper())], False),
        ([("x-api-key", f" {KEY}")], False),
        ([("api-key", KEY)], False),
        ([("x-api-key", KEY), ("x-api-key", KEY)], False),
        ([("x-api-key", "\xff" * 16)], False),
    ],
)
def test_api_keys(headers: list[tuple[str, str]], valid: bool) -> None:  # noqa: FBT001 - an expected value
    """Exactly the key, once, in its header."""
    assert has_valid_api_key(headers, KEY) is valid


def test_an_empty_key_opens_nothing() -> None:
    """Without a configured key no request has the right one."""
    assert not has_valid_api_key([("x-api-key", "")], "")


def test_a_key_may_have_any_characters() -> None:
    """A key beyond ASCII is compared as the UTF-8 that clients send, shown by servers as ISO 8859-1."""
    assert has_valid_api_key([("x-api-key", "schlüssel".encode().decode("latin-1"))], "schlüssel")


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
