"""Tokens: signed, short-lived, of one of two types that never stand in for each other.

An access token carries scopes and is verified without any I/O. A refresh token can only be traded for a new pair; which
ones are still good is known to the auth role's table.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID, uuid4

import jwt

from signal_pipeline.errors import Unauthenticated
from signal_pipeline.security.keys import KeyRing

__all__ = ["AUDIENCE", "ISSUER", "LIFETIMES", "Claims", "TokenType", "Tokens", "bearer_token"]

ISSUER: Final = "signal-pipeline"
AUDIENCE: Final = "signal-pipeline"
_ALGORITHM: Final = "HS256"
_HEADERS: Final = frozenset({"alg", "typ", "kid"})
_CLOCK_SKEW_SECONDS: Final = 5
_LONGEST_TOKEN: Final = 8 * 1024  # ours have about 400 bytes; a longer one is not worth parsing


class TokenType(StrEnum):
    """What a token is good for."""

    ACCESS = "access"
    REFRESH = "refresh"


LIFETIMES: Final = {TokenType.ACCESS: timedelta(minutes=15), TokenType.REFRESH: timedelta(days=7)}


@dataclass(frozen=True, kw_only=True)
class Claims:
    """What a valid token says.

    Attributes:
        subject: Name of the user.
        token_id: The token's own id.
        token_type: Access or refresh.
        scopes: What the subject may do.
        expires_at: End of validity.
        login: The login that it came from, which can be revoked; None for a token that was not made by logging in.
    """

    subject: str
    token_id: UUID
    token_type: TokenType
    scopes: frozenset[str]
    expires_at: datetime
    login: UUID | None = None


class Tokens:
    """Signs tokens with one key, and verifies those of all keys that are still taken.

    Args:
        keys: The keys.
    """

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def issue(
        self,
        subject: str,
        scopes: Sequence[str],
        token_type: TokenType,
        *,
        now: datetime,
        token_id: UUID | None = None,
        login: UUID | None = None,
    ) -> str:
        """Return a signed token that is valid from `now` for the lifetime of its type."""
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": subject,
            "jti": str(token_id or uuid4()),
            "typ": token_type.value,
            "scope": " ".join(scopes),
            "iat": now,
            "exp": now + LIFETIMES[token_type],
        }
        if login is not None:
            claims["sid"] = str(login)
        key_id, key = self._keys.signing_key()
        return jwt.encode(claims, key, algorithm=_ALGORITHM, headers={"kid": key_id})

    def verify(self, token: str, *allowed: TokenType) -> Claims:
        """Return what a token says.

        Raises:
            Unauthenticated: it is malformed, not ours, expired, of another type, or lives too long.
        """
        if len(token) > _LONGEST_TOKEN:
            raise Unauthenticated("the token is not valid")
        try:
            header = jwt.get_unverified_header(token)
            # Ours have no other header: whatever `jku`, `jwk`, `crit` or the like ask for is never looked at.
            claims = {} if header.keys() - _HEADERS else self._decoded(token, header.get("kid"))
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as exc:
            raise Unauthenticated("the token is not valid") from exc
        return _checked(claims, allowed)

    def _decoded(self, token: str, key_id: str | None) -> dict[str, Any]:
        for key in self._keys.verification_keys(key_id):
            with suppress(jwt.InvalidSignatureError):
                return jwt.decode(
                    token,
                    key,
                    algorithms=[_ALGORITHM],
                    audience=AUDIENCE,
                    issuer=ISSUER,
                    leeway=_CLOCK_SKEW_SECONDS,
                    options={"require": ["exp", "iat", "sub", "jti", "aud", "iss"]},
                )
        return {}


def _checked(claims: dict[str, Any], allowed: Sequence[TokenType]) -> Claims:
    issued, expires = claims.get("iat"), claims.get("exp")
    # PyJWT takes "1767225600" for a number; we sign whole seconds.
    if not isinstance(issued, int) or not isinstance(expires, int):
        raise Unauthenticated("the token is not valid")
    token_type = next((one for one in allowed if one.value == claims.get("typ")), None)
    if token_type is None or expires - issued > LIFETIMES[token_type].total_seconds():
        raise Unauthenticated("the token is not valid")
    try:
        token_id = UUID(claims["jti"])
        login = UUID(claims["sid"]) if "sid" in claims else None
    except (ValueError, TypeError, AttributeError) as exc:
        raise Unauthenticated("the token is not valid") from exc
    return Claims(
        subject=claims["sub"],
        token_id=token_id,
        token_type=token_type,
        scopes=frozenset(str(claims.get("scope", "")).split()),
        expires_at=datetime.fromtimestamp(expires, UTC),
        login=login,
    )


def bearer_token(headers: Sequence[tuple[str, str]]) -> str | None:
    """Return the bearer token of a request (header names in lower case); None when it carries none."""
    values = [value for name, value in headers if name == "authorization"]
    if len(values) != 1:
        return None
    scheme, _, token = values[0].partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None
