"""Limits that outlive Redis.

take ──▶ [Redis out of order?] ──no──▶ ask Redis ──answers──▶ its decision; whoever was asked to try closes the outage
              │ yes, tried < 1 s ago          └─ does not ──▶ outage: one log line
              ▼                                                  │
        on_failure ◀─────────────────────────────────────────────┘
              ├─ local   a limiter of this process decides: rates hold for each process on its own
              └─ closed  nobody can tell whether the call may pass, so it may not: 503
"""

import time
from collections.abc import Callable, Sequence
from typing import Final, Literal

from signal_pipeline.errors import DependencyUnavailable
from signal_pipeline.observability.logs import get_logger
from signal_pipeline.observability.metrics import RateLimitMetrics
from signal_pipeline.security.gcra import Decision, Layer, RateLimiter
from signal_pipeline.security.local_limiter import LocalLimiter

__all__ = ["OnFailure", "ResilientLimiter"]

OnFailure = Literal["local", "closed"]
# Names are constants of the code, so this bounds nothing but the slip of whoever puts a subject into a name.
_MOST_LAYERS: Final = 16
_RETRY_SECONDS: Final = 1.0  # a dead Redis costs one call a second its timeout, and not every call


class ResilientLimiter:
    """A `RateLimiter` over one that may fail; it also counts what is decided.

    Args:
        shared: The limiter across processes; `DependencyUnavailable` is how it fails.
        metrics: Where decisions are counted.
        on_failure: What decides meanwhile: "local", a limiter of this process; "closed", nobody.
        clock: Returns seconds that never go back.
    """

    def __init__(
        self,
        shared: RateLimiter,
        metrics: RateLimitMetrics,
        on_failure: OnFailure,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shared = shared
        self._local = LocalLimiter(clock=clock) if on_failure == "local" else None
        self._metrics = metrics
        self._clock = clock
        self._failed = False
        self._retry_at = 0.0
        self._layers: set[str] = set()

    async def take(self, layers: Sequence[Layer], cost: int = 1) -> Decision:
        """Charge a call to every layer if all of them allow it; see `RateLimiter.take`.

        Raises:
            DependencyUnavailable: Redis does not answer, and the limiter is "closed".
        """
        decision = await (self._ask(layers, cost) if self._may_ask() else self._decide_alone(layers, cost))
        if decision.layer:
            outcome = "allowed" if decision.allowed else "never" if decision.never else "refused"
            self._metrics.decisions.labels(self._bounded(decision.layer), outcome).inc()
        return decision

    async def close(self) -> None:
        """Close the limiters."""
        await self._shared.close()
        if self._local is not None:
            await self._local.close()

    def _may_ask(self) -> bool:
        if not self._failed:
            return True
        now = self._clock()
        if now < self._retry_at:
            return False
        self._retry_at = now + _RETRY_SECONDS  # set before the answer: of many calls at once, one tries
        return True

    async def _ask(self, layers: Sequence[Layer], cost: int) -> Decision:
        try:
            decision = await self._shared.take(layers, cost)
        except DependencyUnavailable as exc:
            self._note_failure(exc)
            return await self._decide_alone(layers, cost)
        # A call that needs no answer of Redis, such as one that costs too much, tells nothing about it.
        if self._failed and decision.layer and not decision.never:
            self._note_recovery()
        return decision

    async def _decide_alone(self, layers: Sequence[Layer], cost: int) -> Decision:
        if self._local is None:
            raise DependencyUnavailable("rate limits cannot be checked now", code="rate_limiter_unavailable")
        return await self._local.take(layers, cost)

    def _note_failure(self, exc: DependencyUnavailable) -> None:
        self._retry_at = self._clock() + _RETRY_SECONDS
        if not self._failed:  # calls that were under way together fail together: one line for all
            self._failed = True
            self._metrics.fallback.set(1)
            mode = "closed" if self._local is None else "local"
            get_logger().warning("rate_limiter_fallback", detail=str(exc), mode=mode)

    def _note_recovery(self) -> None:
        self._failed = False
        self._metrics.fallback.set(0)
        get_logger().info("rate_limiter_recovered")

    def _bounded(self, layer: str) -> str:
        if layer not in self._layers and len(self._layers) >= _MOST_LAYERS:
            return "other"
        self._layers.add(layer)
        return layer
