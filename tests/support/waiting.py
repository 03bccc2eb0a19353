"""Waiting for a condition, never for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["wait_for"]

_PAUSE_SECONDS = 0.1
T = TypeVar("T")


def wait_for(condition: Callable[[], T | None], *, seconds: float, what: str) -> T:
    """Return the first true value of a condition; `AssertionError` says what did not happen in time."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        time.sleep(_PAUSE_SECONDS)
    return value
