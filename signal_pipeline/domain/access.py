"""What callers may be allowed, what they may be called, and how an API key is written.

spk_ + 43 characters of randomness (256 bits) + 6 characters of checksum, all of 0-9 A-Z a-z

The prefix and the checksum let a scanner find a key that was committed by mistake, without asking anybody; they also
let a function refuse what was never a key without asking the database. Only the SHA-256 of a key is stored: with 256
bits of randomness nobody finds a key by trying, so that no slow hash is needed.
"""

import hashlib
import re
import zlib
from collections.abc import Iterable
from typing import Final

__all__ = [
    "API_KEY_PREFIX",
    "RANDOM_BYTES",
    "SCOPES",
    "api_key_digest",
    "api_key_text",
    "is_access_name",
    "is_api_key",
    "sound_scopes",
]

SCOPES: Final = {
    "signals:write": "send signals to emit",
    "signals:read": "read signals; kept for a read API",
    "replay": "see dead letters and order their replay",
    "service": "call functions as the triggers do, and read their metrics on their HTTP ports",
    "admin": "everything",
}
API_KEY_PREFIX: Final = "spk_"
RANDOM_BYTES: Final = 32
_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_CHARACTERS: Final = 43  # 62^43 > 2^256
_CHECKSUM_CHARACTERS: Final = 6  # 62^6 > 2^32
_API_KEY: Final = re.compile(rf"{API_KEY_PREFIX}[0-9A-Za-z]{{{_RANDOM_CHARACTERS + _CHECKSUM_CHARACTERS}}}")
# No colon, which separates kind and name where a caller is named; no space, comma or control character.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")


def api_key_text(random: bytes) -> str:
    """Return the key of 32 random bytes.

    >>> api_key_text(bytes(32))
    'spk_00000000000000000000000000000000000000000003wzY0b'
    """
    if len(random) != RANDOM_BYTES:
        raise ValueError(f"an API key is made of {RANDOM_BYTES} bytes")
    body = API_KEY_PREFIX + _base62(int.from_bytes(random), _RANDOM_CHARACTERS)
    return body + _checksum(body)


def is_api_key(text: str) -> bool:
    """Tell whether a text is written as a key of ours, checksum included; whether it is one, only the table knows."""
    if _API_KEY.fullmatch(text) is None:
        return False
    return _checksum(text[:-_CHECKSUM_CHARACTERS]) == text[-_CHECKSUM_CHARACTERS:]


def api_key_digest(text: str) -> bytes:
    """Return what is stored of a key: its SHA-256, 32 bytes."""
    return hashlib.sha256(text.encode()).digest()


def is_access_name(text: str) -> bool:
    """Tell whether a user or key may be called this: 1 to 64 of letters, digits and . _ @ + -."""
    return _NAME.fullmatch(text) is not None


def sound_scopes(given: Iterable[str]) -> list[str]:
    """Return scopes once each, in the order of `SCOPES`; `LookupError` names one that there is not."""
    wanted = set(given)
    unknown = sorted(wanted - SCOPES.keys())
    if unknown:
        raise LookupError(f"there is no scope {unknown[0][:64]!r}; there are {', '.join(SCOPES)}")
    return [scope for scope in SCOPES if scope in wanted]


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), _CHECKSUM_CHARACTERS)


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
