"""API keys: a shared secret in the header X-API-Key, never in a query string."""

import hmac
import secrets
from collections.abc import Sequence

from signal_pipeline.domain.access import RANDOM_BYTES, api_key_text

__all__ = ["matches_any", "new_api_key"]


def new_api_key() -> str:
    """Return a key that nobody has: 256 bits of the system's randomness, in the form of `domain.access`."""
    return api_key_text(secrets.token_bytes(RANDOM_BYTES))


def matches_any(given: str, expected: Sequence[str]) -> bool:
    """Tell whether a key is one of several, each compared in constant time.

    Args:
        given: The value of a header, as ISO 8859-1 text.
        expected: The keys; an empty one matches nothing.
    """
    found = [hmac.compare_digest(given.encode("latin-1"), key.encode()) for key in expected if key]
    return any(found)
