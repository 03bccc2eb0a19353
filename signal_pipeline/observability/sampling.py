"""Which of many equal log lines are written: the first of a kind at once, then at most one in five seconds."""

import time
from collections.abc import Hashable
from typing import Final

__all__ = ["Sampling"]

_INTERVAL_SECONDS: Final = 5.0
_KINDS: Final = 1000  # codes come from elsewhere; a flood of different ones must not fill the memory


class Sampling:
    """Remembers when a line of each kind was last written."""

    def __init__(self) -> None:
        self._kinds: dict[Hashable, tuple[float, int]] = {}

    def due(self, kind: Hashable) -> int | None:
        """Return how many lines of a kind were left out since its last one; None leaves this one out, too."""
        now = time.monotonic()
        if len(self._kinds) >= _KINDS:
            self._kinds.clear()
        logged_at, suppressed = self._kinds.get(kind, (float("-inf"), 0))
        if now - logged_at < _INTERVAL_SECONDS:
            self._kinds[kind] = (logged_at, suppressed + 1)
            return None
        self._kinds[kind] = (now, 0)
        return suppressed
