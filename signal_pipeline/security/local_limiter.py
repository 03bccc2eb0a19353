"""Limits within one process: what holds when there is no Redis."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

from signal_pipeline.security.gcra import Decision, Layer, check_cost, decide, subject_digest

__all__ = ["LocalLimiter"]

_MOST_SUBJECTS: Final = 50_000  # 15 MB, and another 10 that Python leaves between what comes and goes


class LocalLimiter:
    """A `RateLimiter` of one event loop; each call takes the same time however many subjects there are.

    Only so many subjects are remembered; the one that was not seen for the longest time is forgotten first, and then
    starts anew. The global layer is part of every call and so is never forgotten: it bounds a flood of subjects.

    Args:
        most_subjects: How many subjects are remembered.
        clock: Returns seconds that never go back.
    """

    def __init__(self, *, most_subjects: int = _MOST_SUBJECTS, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most_subjects
        self._clock = clock
        self._buckets: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    async def take(self, layers: Sequence[Layer], cost: int = 1) -> Decision:
        """Charge a call to every layer if all of them allow it; see `RateLimiter.take`."""
        known = check_cost(layers, cost)
        if known is not None:
            return known
        # Without an await from here on, no other task comes between the decision and the charge.
        now = self._clock()
        digests = [subject_digest(layer) for layer in layers]
        levels = [self._level(digest, layer, now) for digest, layer in zip(digests, layers, strict=True)]
        decision = decide(layers, levels, cost)
        if decision.allowed:
            for digest, level in zip(digests, levels, strict=True):
                self._charge(digest, level + cost, now)
        return decision

    async def close(self) -> None:
        """Forget everything."""
        self._buckets.clear()

    def _level(self, digest: bytes, layer: Layer, now: float) -> float:
        found = self._buckets.get(digest)
        if found is None:
            return 0.0
        self._buckets.move_to_end(digest)  # whoever is refused all the time is not forgotten either
        level, at = found
        return max(0.0, level - (now - at) * layer.per_second)

    def _charge(self, digest: bytes, level: float, now: float) -> None:
        self._buckets[digest] = (level, now)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
