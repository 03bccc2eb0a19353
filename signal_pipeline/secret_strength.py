"""Which secrets are good enough for production."""

from typing import Final

__all__ = ["DEVELOPMENT_SECRETS", "SHORTEST_SECRET", "is_weak", "several"]

DEVELOPMENT_SECRETS: Final = {
    "jwt_secret_key": "super-secret-jwt-key-change-in-production",
    "redis_password": "redis123",
    "emit_api_key": "dev-test-key-123",
    "service_api_key": "dev-service-key-123",
    "auth_admin_password": "admin",
}
# A secret shorter than this can be guessed offline: 32 characters hold at least 128 bits in any usual alphabet.
SHORTEST_SECRET: Final = 32


def is_weak(secret: str) -> bool:
    """Tell whether a secret is a development default, empty or short."""
    return secret in DEVELOPMENT_SECRETS.values() or len(secret) < SHORTEST_SECRET


def several(text: str) -> tuple[str, ...]:
    """Return the values of a setting that may have several, separated by commas; one empty value when it has none."""
    return tuple(text.replace(",", " ").split()) or ("",)
