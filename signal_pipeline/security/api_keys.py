"""API keys: a shared secret in the header X-API-Key, never in a query string."""

import hmac
import secrets
from collections.abc import Sequence

from signal_pipeline.domain.access import RANDOM_BYTES, api_key_text

__all__ = ["has_valid_api_key", "new_api_key"]

_HEADER = "x-api-key"


def new_api_key() -> str:
    """Return a key that nobody has: 256 bits of the system's randomness, in the form of `domain.access`."""
    return api_key_text(secrets.token_bytes(RANDOM_BYTES))


def has_valid_api_key(headers: Sequence[tuple[str, str]], expected: str) -> bool:
    """Tell whether a request carries the key, compared in constant time.

    Args:
        headers: Names in lower case, values as ISO 8859-1 text.
        expected: The key; an empty one matches nothing.
    """
    given = [value for name, value in headers if name == _HEADER]
    return bool(expected) and len(given) == 1 and hmac.compare_digest(given[0].encode("latin-1"), expected.encode())
