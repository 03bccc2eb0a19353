"""Keys of tokens can be exchanged while tokens of the old one are in use."""

from datetime import UTC, datetime
from pathlib import Path

import jwt
import pytest

from signal_pipeline.errors import Unauthenticated
from signal_pipeline.security import keys
from signal_pipeline.security.keys import KeyRing, key_id
from signal_pipeline.security.tokens import Tokens, TokenType
from signal_pipeline.settings import Settings

OLD, NEW = "the-old-key-of-at-least-32-characters", "the-new-key-of-at-least-32-characters"


def _token(*ring: str) -> str:
    return Tokens(KeyRing(ring)).issue("ann", ["replay"], TokenType.ACCESS, now=datetime.now(UTC))


def test_a_token_names_its_key_and_not_the_keys_text() -> None:
    """`kid` follows from the key, so that two processes agree without talking."""
    header = jwt.get_unverified_header(_token(NEW, OLD))
    assert header == {"alg": "HS256", "typ": "JWT", "kid": key_id(NEW)}
    assert key_id(NEW) != key_id(OLD)


def test_tokens_of_the_key_before_are_taken_during_the_overlap_and_not_after() -> None:
    """Rotation is: new key first, old one kept; later the old one goes."""
    old = _token(OLD)
    assert Tokens(KeyRing([NEW, OLD])).verify(old, TokenType.ACCESS).subject == "ann"
    with pytest.raises(Unauthenticated):
        Tokens(KeyRing([NEW])).verify(old, TokenType.ACCESS)


def test_a_token_without_a_key_id_is_tried_with_each_key() -> None:
    """Another issuer that shares the key may not name it."""
    payload = jwt.decode(_token(OLD), OLD, algorithms=["HS256"], audience="signal-pipeline")
    anonymous = jwt.encode(payload, OLD, algorithm="HS256")
    assert Tokens(KeyRing([NEW, OLD])).verify(anonymous, TokenType.ACCESS).subject == "ann"


def test_a_token_that_names_one_key_and_is_signed_by_another_is_refused() -> None:
    """The id chooses the key; no other is tried."""
    payload = jwt.decode(_token(OLD), OLD, algorithms=["HS256"], audience="signal-pipeline")
    crossed = jwt.encode(payload, OLD, algorithm="HS256", headers={"kid": key_id(NEW)})
    with pytest.raises(Unauthenticated):
        Tokens(KeyRing([NEW, OLD])).verify(crossed, TokenType.ACCESS)


def test_an_unknown_key_id_reads_the_keys_again_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """A platform renewed the file: the token of the new key is taken, and a stranger's ids cost nothing more."""
    clock, reads = [100.0], []

    def reload() -> list[str]:
        reads.append(clock[0])
        return [NEW, OLD]

    monkeypatch.setattr(keys.time, "monotonic", lambda: clock[0])
    ring = KeyRing([OLD], reload=reload)
    assert ring.verification_keys(key_id(NEW)) == []  # it has just read them
    clock[0] += 1
    assert ring.verification_keys(key_id(NEW)) == [NEW]
    for _ in range(100):
        assert ring.verification_keys("stranger") == []
    assert reads == [101.0]


def test_a_key_that_was_taken_away_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 8: ten seconds after its removal from the file the tokens of a key are refused."""
    clock = [100.0]
    monkeypatch.setattr(keys.time, "monotonic", lambda: clock[0])
    ring = KeyRing([NEW, OLD], reload=lambda: [NEW])
    tokens, stolen = Tokens(ring), _token(OLD)
    clock[0] += 9.9
    assert tokens.verify(stolen, TokenType.ACCESS).subject
    clock[0] += 0.1
    with pytest.raises(Unauthenticated):
        tokens.verify(stolen, TokenType.ACCESS)
    assert ring.verification_keys(None) == [NEW]


def test_keys_that_cannot_be_read_leave_those_of_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is being replaced must not lock everybody out."""

    def reload() -> list[str]:
        raise ValueError

    ring = KeyRing([OLD], reload=reload)
    monkeypatch.setattr(keys.time, "monotonic", lambda: float("inf"))
    assert ring.verification_keys("unknown") == []
    assert ring.signing_key() == (key_id(OLD), OLD)


@pytest.mark.parametrize("place", ["environment", ".env"])
def test_wherever_the_file_is_named_a_key_that_left_it_is_forgotten(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 8: `.env` names files too, and what `access rotate --finish --now` promises holds for them."""
    clock = [100.0]
    monkeypatch.setattr(keys.time, "monotonic", lambda: clock[0])
    monkeypatch.chdir(tmp_path)
    named = {"JWT_SECRET_KEY_FILE": "current", "JWT_PREVIOUS_SECRET_KEYS_FILE": "previous"}
    for name, file in named.items():
        monkeypatch.delenv(name, raising=False)
        if place == "environment":
            monkeypatch.setenv(name, file)
    if place == ".env":
        Path(".env").write_text("".join(f"{name}={file}\n" for name, file in named.items()), encoding="utf-8")
    Path("current").write_text(NEW, encoding="utf-8")
    Path("previous").write_text(OLD, encoding="utf-8")
    ring = KeyRing.of(Settings())
    assert ring.verification_keys(key_id(OLD)) == [OLD]
    Path("previous").write_text("", encoding="utf-8")
    clock[0] += 10
    assert ring.verification_keys(key_id(OLD)) == []
