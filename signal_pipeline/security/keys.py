"""The keys of tokens, by id, so that they can be exchanged while tokens of the old one are still in use.

new key signs ──▶ tokens name its id in `kid` ──▶ whoever does not know the id reads the keys again, once a second
old key       ──▶ verifies until it is taken away, one lifetime of a refresh token later: whoever uses it reads the
                  keys again every 10 s
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from typing import Final

from signal_pipeline.errors import PipelineError
from signal_pipeline.observability.logs import get_logger
from signal_pipeline.secret_files import secret_file
from signal_pipeline.settings import Settings

__all__ = ["KeyRing", "key_id"]

_SECRETS: Final = ("jwt_secret_key", "jwt_previous_secret_keys")
_RELOAD_SECONDS: Final = 1.0  # a stranger's unknown ids must not make us read files all the time
_STALE_SECONDS: Final = 10.0  # a key that was taken away, because it was stolen perhaps, is not believed for longer


def key_id(key: str) -> str:
    """Return the id of a key: it follows from the key, so that every process gives it the same one."""
    return hashlib.sha256(b"signal-pipeline kid:" + key.encode()).hexdigest()[:16]


class KeyRing:
    """The key that signs, and all that verify.

    Args:
        keys: The signing key first; then those that are still taken.
        reload: Returns the keys as they are configured now, such as from a file that a platform renews; None when they
            stay what they are.
    """

    def __init__(self, keys: Sequence[str], *, reload: Callable[[], Sequence[str]] | None = None) -> None:
        self._keys = _by_id(keys)
        self._reload = reload
        self._reloaded_at = time.monotonic()

    @classmethod
    def of(cls, settings: Settings) -> "KeyRing":
        """Return the keys of the settings; those in files are read again when a token names an unknown one."""
        in_files = any(secret_file(type(settings), name) for name in _SECRETS)
        return cls(settings.jwt_keys, reload=(lambda: type(settings)().jwt_keys) if in_files else None)

    def signing_key(self) -> tuple[str, str]:
        """Return id and text of the key that signs now."""
        self._refresh()
        return next(iter(self._keys.items()))

    def verification_keys(self, key_id: str | None) -> Sequence[str]:
        """Return the keys that may have signed a token.

        Args:
            key_id: What the token names: looked up among the configured keys and nowhere else. None, for a token that
                names none, returns them all.
        """
        self._refresh(_STALE_SECONDS if key_id is None or key_id in self._keys else _RELOAD_SECONDS)
        if key_id is None:
            return list(self._keys.values())
        found = self._keys.get(key_id)
        return [] if found is None else [found]

    def _refresh(self, older_than_seconds: float = _RELOAD_SECONDS) -> None:
        now = time.monotonic()
        if self._reload is None or now - self._reloaded_at < older_than_seconds:
            return
        self._reloaded_at = now
        try:
            self._keys = _by_id(self._reload())
        except (PipelineError, ValueError) as exc:  # half-written files, say: the keys of before still hold
            get_logger().warning("keys_not_reloaded", detail=type(exc).__name__)


def _by_id(keys: Sequence[str]) -> dict[str, str]:
    return {key_id(key): key for key in keys}
