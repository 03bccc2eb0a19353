"""Looks at the pipeline's state at an interval, for gauges that no event would set.

A function has no loop of its own but this one: it only reads, and it ends with the function. What cannot be seen is
not a number, for a value of before would hide that nobody knows.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

from signal_pipeline.errors import PipelineError
from signal_pipeline.observability.logs import get_logger

__all__ = ["Observer"]

_SECONDS: Final = 5.0  # as often as Prometheus asks


class Observer:
    """Runs one look after another.

    Args:
        name: What is looked at; named in the log while it cannot be seen.
        look: Sets the gauges; raises `PipelineError` when a dependency does not answer.
        forget: Sets them to not a number.
        seconds: From the end of one look to the next.
    """

    def __init__(
        self,
        name: str,
        *,
        look: Callable[[], Awaitable[None]],
        forget: Callable[[], None],
        seconds: float = _SECONDS,
    ) -> None:
        self._name = name
        self._look = look
        self._forget = forget
        self._seconds = seconds
        self._task: asyncio.Task[None] | None = None
        self._blind = False

    def start(self) -> None:
        """Begin to look; the first time now."""
        self._task = asyncio.create_task(self._run(), name=f"observe {self._name}")

    async def stop(self) -> None:
        """End; a look that is under way is abandoned."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            try:
                await self._look()
            except PipelineError as exc:
                self._lose_sight(exc)
            else:
                self._blind = False
            await asyncio.sleep(self._seconds)

    def _lose_sight(self, exc: PipelineError) -> None:
        self._forget()
        if not self._blind:  # one line for an outage, not one for each look
            get_logger().warning("observation_lost", what=self._name, code=exc.failure.code, detail=exc.failure.detail)
        self._blind = True
