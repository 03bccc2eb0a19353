"""One tick of the schedule: replays at a bounded rate, as long as live traffic keeps up.

tick ──▶ live lag? ──high──▶ yield: the next tick asks again
  ▲          └─ low ──▶ a slice of due and of ordered letters ──nothing moved──▶ done
  └──── wait as long as the rate asks, until the tick's time is over ◀──┘

Due and ordered letters share one rate, and take turns at being first, so that neither starves the other.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any, Final

from signal_pipeline.domain.pace import Pace
from signal_pipeline.roles.recovery import Recovery, TickResult
from signal_pipeline.roles.replay_orders import JobStep, ReplayOrders

__all__ = ["ReplayTick"]

_TICK_SECONDS: Final = 5.0  # the interval in triggers/replay-dlq.yaml: with work left, one tick follows the other
_SLICES_PER_SECOND: Final = 5  # live traffic sees many small steps instead of one burst
_LAG_SECONDS: Final = 1.0  # age of the last look at the lag; a look asks the broker for every partition


class ReplayTick:
    """What `POST /tick` does; one at a time, so that two schedules share the rate.

    Args:
        recovery: Replays what is due.
        orders: Replays what was ordered.
        live_lag: Tells how far live traffic is behind, in records.
        per_second: Most records published a second, due and ordered together.
        max_live_lag: Above it nothing is published.
    """

    def __init__(
        self,
        recovery: Recovery,
        orders: ReplayOrders,
        live_lag: Callable[[], Awaitable[int]],
        *,
        per_second: int,
        max_live_lag: int,
    ) -> None:
        self._recovery = recovery
        self._orders = orders
        self._live_lag = live_lag
        self._max_live_lag = max_live_lag
        self._pace = Pace(per_second)
        self._slice = max(per_second // _SLICES_PER_SECOND, 1)
        self._orders_first = False
        self._turn = asyncio.Lock()

    async def run(self) -> dict[str, Any]:
        """Replay until nothing is left, live traffic is behind or the tick is over; return what was done."""
        async with self._turn:
            now = asyncio.get_running_loop().time
            end, next_look, done = now() + _TICK_SECONDS, now(), Counter({**asdict(TickResult()), "ordered": 0})
            while (wait := self._pace.wait(now=now())) + now() < end:
                await asyncio.sleep(wait)
                if now() >= next_look:
                    if await self._live_lag() > self._max_live_lag:
                        return {**done, "yielded": True}
                    next_look = now() + _LAG_SECONDS
                due, ordered = await self._step()
                done.update(asdict(due), ordered=ordered.replayed)
                if not due.replayed + due.resolved + ordered.replayed:
                    if not ordered.wait_seconds:
                        break
                    await asyncio.sleep(min(ordered.wait_seconds, max(end - now(), 0)))
            return {**done, "yielded": False}

    async def _step(self) -> tuple[TickResult, JobStep]:
        """Publish one slice; who is first leaves the rest of it to the other."""
        self._orders_first = not self._orders_first
        if self._orders_first:
            ordered = await self._ordered(self._slice)
            due = await self._due(self._slice - ordered.replayed)
        else:
            due = await self._due(self._slice)
            ordered = await self._ordered(self._slice - due.replayed)
        return due, ordered

    async def _due(self, limit: int) -> TickResult:
        if limit <= 0:
            return TickResult()
        started = asyncio.get_running_loop().time()
        result = await self._recovery.tick(limit)
        self._pace.spent(result.replayed + result.failed, now=started)  # the work itself is part of the interval
        return result

    async def _ordered(self, limit: int) -> JobStep:
        if limit <= 0:
            return JobStep()
        started = asyncio.get_running_loop().time()
        result = await self._orders.step(self._recovery, limit)
        self._pace.spent(result.replayed, now=started)
        return result
