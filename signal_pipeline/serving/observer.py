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
_PATIENCE_SECONDS: Final = 10.0  # longer than any look: each has a bound of its own


class Observer:
    """Runs one look after another.

    Args:
        name: What is looked at; named in the log while it cannot be seen.
        look: Sets the gauges; raises when it cannot see, such as while a dependency does not answer.
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
        self._ending = asyncio.Event()
        self._blind = False

    def start(self) -> None:
        """Begin to look; the first time now."""
        self._task = asyncio.create_task(self._run(), name=f"observe {self._name}")

    async def stop(self) -> None:
        """End; a look that is under way may end first, for a thread may be using what is closed next."""
        self._ending.set()
        if self._task is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._task, _PATIENCE_SECONDS)

    async def _run(self) -> None:
        while not self._ending.is_set():
            try:
                await self._look()
            except Exception as exc:  # noqa: BLE001 - whatever it is, what was seen before must not stand for ever
                self._lose_sight(exc)
            else:
                self._blind = False
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), self._seconds)

    def _lose_sight(self, exc: Exception) -> None:
        self._forget()
        if not self._blind:  # one line for an outage, not one for each look
            code = exc.failure.code if isinstance(exc, PipelineError) else type(exc).__name__
            get_logger().warning("observation_lost", what=self._name, code=code, detail=str(exc))
        self._blind = True
