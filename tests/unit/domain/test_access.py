"""The form of API keys, the names of callers and their scopes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signal_pipeline.domain.access import SCOPES, api_key_digest, api_key_text, is_access_name, is_api_key, sound_scopes
from signal_pipeline.security.api_keys import new_api_key

RANDOM = st.binary(min_size=32, max_size=32)


@given(RANDOM)
def test_a_key_has_one_form(random: bytes) -> None:
    """Whatever its bytes, a key has 53 characters that need no escape anywhere, and passes its own checksum."""
    key = api_key_text(random)
    assert re.fullmatch(r"spk_[0-9A-Za-z]{49}", key)
    assert is_api_key(key)


@given(RANDOM, st.integers(0, 52), st.sampled_from("0Zz_\n\u0000é"))
def test_another_character_is_noticed(random: bytes, place: int, other: str) -> None:
    """A key with one character changed is no key."""
    key = api_key_text(random)
    changed = key[:place] + other + key[place + 1 :]
    assert is_api_key(changed) == (changed == key)


@given(RANDOM, RANDOM)
def test_no_two_keys_are_alike(one: bytes, other: bytes) -> None:
    """Different bytes make different keys, with different digests of 32 bytes."""
    assert (api_key_text(one) == api_key_text(other)) == (one == other)
    assert (api_key_digest(api_key_text(one)) == api_key_digest(api_key_text(other))) == (one == other)
    assert len(api_key_digest("x")) == 32


@pytest.mark.parametrize("text", ["", "spk_", "spk_" + "0" * 49, "SPK_" + "0" * 49, "dev-test-key-123", "x" * 10_000])
def test_other_texts_are_no_keys(text: str) -> None:
    """Prefix, length and checksum must all be right."""
    assert not is_api_key(text)
    assert not is_api_key(new_api_key() + "\n")
    assert not is_api_key(new_api_key()[:-1])


def test_each_new_key_is_another() -> None:
    """Nobody gets a key twice."""
    assert len({new_api_key() for _ in range(100)}) == 100


def test_a_key_takes_256_bits() -> None:
    """Fewer bytes are refused: the key would be easier to guess."""
    with pytest.raises(ValueError, match="32 bytes"):
        api_key_text(b"short")


@pytest.mark.parametrize("name", ["admin", "a", "jane.doe@example.org", "ci-emit_2+x", "x" * 64])
def test_names(name: str) -> None:
    """Letters, digits and . _ @ + - make a name."""
    assert is_access_name(name)


@pytest.mark.parametrize(
    "name", ["", "key:x", "a b", "a,b", "-x", "x" * 65, "a\n", "\u202eadmin", "\u0430dmin", "a\u0000", "a/b", "a\x1b"]
)
def test_texts_that_are_no_names(name: str) -> None:
    """Nothing that a log, a list or `key:name` could take for something else, and no letter that looks like another."""
    assert not is_access_name(name)


def test_scopes_are_the_known_ones() -> None:
    """Scopes come once each and in one order; an unknown one is named."""
    assert sound_scopes(["replay", "signals:write", "replay"]) == ["signals:write", "replay"]
    assert sound_scopes(SCOPES) == list(SCOPES)
    with pytest.raises(LookupError, match="'root'"):
        sound_scopes(["replay", "root"])
