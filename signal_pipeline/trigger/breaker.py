"""When failures are no longer about single events. Pure.

If more than half of at least 200 recent events fail as `unexpected` or `rejected`, something behind the function is
wrong, and going on would drain the topic into the dead-letter topic. The breaker then opens: the trigger waits, tries
a single event, and closes when that succeeds. `invalid` events never count: a stream of poison flows to the
dead-letter topic; transient failures never dead-letter, so they do not count either.

Only the single event closes it. What succeeds beside failures proves nothing: a function that refuses nine events of
ten in every batch would close it with each tenth.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final

from signal_pipeline.domain.failures import Failure, FailureClass

__all__ = ["Breaker"]

_COUNTED: Final = frozenset({FailureClass.UNEXPECTED, FailureClass.REJECTED})


class Breaker:
    """Recent outcomes of events, delivery by delivery: those of one delivery have no order that would mean anything.

    Args:
        recent: Number of outcomes that are remembered, at least; a delivery is remembered whole.
        at_least: Outcomes needed before it can open.
    """

    def __init__(self, *, recent: int = 400, at_least: int = 200) -> None:
        self._recent = recent
        self._at_least = at_least
        self._deliveries: deque[tuple[int, int]] = deque()  # outcomes that count, failures among them
        self._outcomes = 0
        self._failures = 0
        self.is_open = False

    def count(self, *, succeeded: int, failures: Iterable[Failure]) -> None:
        """Count the outcomes of a delivery; may open the breaker."""
        failed = sum(failure.failure_class in _COUNTED for failure in failures)
        if not succeeded + failed:
            return
        self._deliveries.append((succeeded + failed, failed))
        self._outcomes += succeeded + failed
        self._failures += failed
        while self._outcomes - self._deliveries[0][0] >= self._recent:
            outcomes, failures_then = self._deliveries.popleft()
            self._outcomes -= outcomes
            self._failures -= failures_then
        if self._outcomes >= self._at_least and self._failures * 2 > self._outcomes:
            self.is_open = True

    def close(self) -> None:
        """Close and forget: the single event succeeded."""
        self.is_open = False
        self._deliveries.clear()
        self._outcomes = self._failures = 0
