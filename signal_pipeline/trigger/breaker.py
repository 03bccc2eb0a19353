"""When failures are no longer about single events. Pure.

If more than half of at least 200 recent events fail as `unexpected` or `rejected`, something behind the function is
wrong, and going on would drain the topic into the dead-letter topic. The breaker then opens: the trigger waits, tries
a single event, and closes with the first success. `invalid` events never count: a stream of poison flows to the
dead-letter topic; transient failures never dead-letter, so they do not count either.
"""

from collections import deque
from typing import Final

from signal_pipeline.domain.failures import Failure, FailureClass

__all__ = ["Breaker"]

_COUNTED: Final = frozenset({FailureClass.UNEXPECTED, FailureClass.REJECTED})


class Breaker:
    """Recent outcomes of events.

    Args:
        recent: Number of outcomes that are remembered.
        at_least: Outcomes needed before it can open.
    """

    def __init__(self, *, recent: int = 400, at_least: int = 200) -> None:
        self._outcomes: deque[bool] = deque(maxlen=recent)
        self._at_least = at_least
        self._failures = 0
        self.is_open = False

    def succeeded(self, events: int) -> None:
        """Count events that became durable; closes an open breaker."""
        if not events:
            return
        if self.is_open:
            self.is_open = False
            self._outcomes.clear()
            self._failures = 0
        for _ in range(min(events, self._outcomes.maxlen or events)):
            self._count(failed=False)

    def failed(self, failure: Failure) -> None:
        """Count an event that failed; may open the breaker."""
        if failure.failure_class not in _COUNTED:
            return
        self._count(failed=True)
        if len(self._outcomes) >= self._at_least and self._failures * 2 > len(self._outcomes):
            self.is_open = True

    def _count(self, *, failed: bool) -> None:
        if len(self._outcomes) == self._outcomes.maxlen:
            self._failures -= self._outcomes[0]
        self._outcomes.append(failed)
        self._failures += failed
