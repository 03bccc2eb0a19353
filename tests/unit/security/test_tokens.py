"""Tokens: what is accepted is ours, in time, and of the type that was asked for."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from signal_pipeline.errors import Unauthenticated
from signal_pipeline.security.keys import KeyRing
from signal_pipeline.security.tokens import (
    AUDIENCE,
    ISSUER,
    LIFETIMES,
    Claims,
    Tokens,
    TokenType,
    bearer_token,
)

KEY = "a-key-of-the-tests-" * 4  # long enough for every algorithm that is tried
TOKENS = Tokens(KeyRing([KEY]))
JTI = "7d444840-9dc0-11d1-b245-5ffdce74fad2"


def now() -> datetime:
    """Return the time in whole seconds: collection may lie minutes before a test."""
    return datetime.now(UTC).replace(microsecond=0)


def claims(**change: Any) -> dict[str, Any]:
    """Return the claims of a good token, altered; `exp`, `iat` and `nbf` as a timedelta count from now."""
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "jti": JTI, "typ": "access", "scope": "signals:write"}
    times = {"iat": timedelta(0), "exp": timedelta(minutes=10)}
    return {
        name: int((now() + value).timestamp()) if isinstance(value, timedelta) else value
        for name, value in (good | times | change).items()
    }


def after(seconds: float) -> timedelta:
    """Return a time relative to now."""
    return timedelta(seconds=seconds)


def signed(claims: dict[str, Any] | str, header: dict[str, Any] | None = None, key: bytes = KEY.encode()) -> str:
    """Sign anything with HS256, by hand, so that nothing is corrected on the way."""

    def part(value: Any) -> str:
        text = value if isinstance(value, str) else json.dumps(value)
        return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()

    message = f"{part({'alg': 'HS256', 'typ': 'JWT'} | (header or {}))}.{part(claims)}"
    signature = hmac.new(key, message.encode(), hashlib.sha256).digest()
    return f"{message}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def refused(token: str, token_type: TokenType = TokenType.ACCESS) -> None:
    """Check that a token is refused, with one and the same message for every reason."""
    with pytest.raises(Unauthenticated, match=r"^the token is not valid$") as caught:
        TOKENS.verify(token, token_type)
    assert caught.value.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("token_type", list(TokenType))
def test_what_is_issued_is_accepted(token_type: TokenType) -> None:
    """A token says who may do what and until when."""
    token_id = uuid4()
    issued_at = now()
    token = TOKENS.issue("ada", ["a", "b"], token_type, now=issued_at, token_id=token_id)
    assert TOKENS.verify(token, token_type) == Claims(
        subject="ada",
        token_id=token_id,
        token_type=token_type,
        scopes=frozenset({"a", "b"}),
        expires_at=issued_at + LIFETIMES[token_type],
    )


@pytest.mark.parametrize("token_type", list(TokenType))
def test_the_types_never_stand_in_for_each_other(token_type: TokenType) -> None:
    """An access token refreshes nothing and a refresh token opens nothing."""
    (other,) = set(TokenType) - {token_type}
    refused(TOKENS.issue("ada", [], token_type, now=now()), other)


def test_by_hand_signed_claims_are_accepted() -> None:
    """The claims that the following tests alter are good as they are, also with our audience among others."""
    assert TOKENS.verify(signed(claims()), TokenType.ACCESS).subject == "ada"
    assert TOKENS.verify(signed(claims(aud=["other", AUDIENCE])), TokenType.ACCESS).subject == "ada"


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "jti", "typ", "iat", "exp"])
def test_every_claim_is_needed(name: str) -> None:
    """Without any one of the claims the token is refused."""
    refused(signed({key: value for key, value in claims().items() if key != name}))


@pytest.mark.parametrize(
    "change",
    [
        {"exp": after(-6)},  # 5 s of clock skew are allowed
        {"exp": "9999999999"},
        {"exp": 9999999999.5},
        {"exp": None},
        {"exp": []},
        {"exp": True},
        {"exp": 10**400},
        {"iat": after(60)},
        {"iat": "1767225600"},
        {"iat": None},
        {"iat": {}},
        {"iat": -(10**12)},
        {"nbf": after(60)},
        {"nbf": "soon"},
        {"nbf": None},
        {"nbf": []},
        {"exp": after(901)},  # access tokens live 15 minutes
        {"aud": "someone-else"},
        {"aud": []},
        {"aud": {}},
        {"iss": "someone-else"},
        {"iss": [ISSUER]},
        {"sub": 5},
        {"jti": 5},
        {"jti": "no-uuid"},
        {"typ": "Access"},
        {"typ": ["access"]},
        {"sid": "no-uuid"},
        {"sid": 5},
        {"sid": None},
    ],
)
def test_wrong_claims_are_refused(change: dict[str, Any]) -> None:
    """A claim out of time, of another's or of another type is refused, and never an error."""
    refused(signed(claims(**change)))


@pytest.mark.parametrize(
    "payload",
    ['{"exp":1e400}', '{"exp":NaN}', "[]", "5", "null", "", "{", '{"exp":1e999,"iat":1e999}'],
)
def test_a_payload_that_is_no_set_of_claims_is_refused(payload: str) -> None:
    """A signature over nonsense makes no sense of it."""
    refused(signed(payload))


@pytest.mark.parametrize("algorithm", ["none", "None", "nOnE", "", "HS512", "RS256", None, 5])
def test_the_algorithm_is_not_the_tokens_choice(algorithm: Any) -> None:
    """Only HS256 is accepted, whatever the token says of itself, signed or not."""
    token = signed(claims(), {"alg": algorithm})
    refused(token)
    refused(token.rpartition(".")[0] + ".")


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_another_algorithm_with_our_key_is_refused(algorithm: str) -> None:
    """A signature that is right by another algorithm is not ours."""
    refused(jwt.encode(claims(), KEY, algorithm=algorithm))


@pytest.mark.parametrize(
    "header",
    [
        {"kid": "../../dev/null"},
        {"kid": "' OR 1=1 --"},
        {"kid": "x" * 10_000},
        {"kid": "unknown"},
        {"kid": 5},
        {"jku": "http://127.0.0.1:1/keys"},
        {"x5u": "http://127.0.0.1:1/cert"},
        {"jwk": {"kty": "oct", "k": "AAAA"}},
        {"crit": ["exp"], "exp": 1},
        {"crit": ["b64"], "b64": False},
        {"b64": False},
    ],
)
def test_no_header_leads_to_a_key(header: dict[str, Any]) -> None:
    """A token that names a key, an address or an extension is refused, even with our signature."""
    refused(signed(claims(), header))


def test_a_public_key_is_no_secret() -> None:
    """Another key refuses, be it a public RSA key or a JWK document used as the secret."""
    pem = generate_private_key(65537, 2048).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for key in (pem, b'{"kty":"oct"}', b"", KEY.encode()[:-1]):
        refused(signed(claims(), key=key))


@pytest.mark.parametrize("token", ["", ".", "..", "a.b", "a.b.c.d", "é.é.é", "a" * 1_000_000, "\x00"])
def test_malformed_tokens_are_refused(token: str) -> None:
    """What is no token is refused, at once when it is long."""
    refused(token)


def test_an_altered_token_is_refused() -> None:
    """One changed character anywhere breaks the token."""
    token = signed(claims())
    for position in range(0, len(token) - 1, 7):
        refused(token[:position] + ("A" if token[position] != "A" else "B") + token[position + 1 :])


def test_the_clock_may_differ_by_seconds() -> None:
    """Five seconds of clock skew are allowed on both ends."""
    TOKENS.verify(signed(claims(exp=after(-2), iat=after(-600))), TokenType.ACCESS)
    TOKENS.verify(TOKENS.issue("ada", [], TokenType.ACCESS, now=now() + after(3)), TokenType.ACCESS)


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ([("authorization", "Bearer abc")], "abc"),
        ([("authorization", "bearer  abc ")], "abc"),
        ([], None),
        ([("authorization", "abc")], None),
        ([("authorization", "Bearer")], None),
        ([("authorization", "Bearer ")], None),
        ([("authorization", "Basic YTpi")], None),
        ([("authorization", "Bearer a"), ("authorization", "Bearer b")], None),
        ([("x-authorization", "Bearer a")], None),
    ],
)
def test_the_bearer_token_of_a_request(headers: list[tuple[str, str]], token: str | None) -> None:
    """Exactly one Authorization header of the Bearer scheme carries a token."""
    assert bearer_token(headers) == token
