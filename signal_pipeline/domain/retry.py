"""When to try again: exponential backoff with full jitter, and what a Retry-After asks for. Pure: chance is passed in.

Full jitter draws from the whole range between nothing and the bound, so that callers that failed together do not come
back together.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

__all__ = ["Backoff", "retry_after_seconds"]

_LARGEST_EXPONENT: Final = 30  # 2**30 times any base is beyond every cap; a larger power only costs time


@dataclass(frozen=True, kw_only=True, slots=True)
class Backoff:
    """A schedule of delays.

    Attributes:
        base_seconds: Bound of the first delay.
        cap_seconds: Bound of every delay.
        linear: Grow by the base each time, as Knative's `backoffPolicy: linear`, instead of doubling.
    """

    base_seconds: float
    cap_seconds: float
    linear: bool = False

    def bound(self, attempt: int) -> float:
        """Return the longest delay after this many failures, the first being 1.

        >>> Backoff(base_seconds=0.5, cap_seconds=10).bound(3)
        2.0
        """
        exponent = min(max(attempt, 1) - 1, _LARGEST_EXPONENT)
        factor = exponent + 1 if self.linear else 2**exponent
        return float(min(self.base_seconds * factor, self.cap_seconds))

    def delay(self, attempt: int, *, chance: float, at_least: float = 0.0) -> float:
        """Return how long to wait, in seconds.

        Args:
            attempt: Failures so far, the first being 1.
            chance: A random number in [0, 1).
            at_least: What the other side asked for; jitter is added to it, so that nobody comes early.
        """
        return at_least + self.bound(attempt) * chance


def retry_after_seconds(header: str | None, *, now: datetime, cap_seconds: float) -> float:
    """Read a Retry-After header: seconds, or an HTTP date.

    Args:
        header: The header's text; None when there was none.
        now: Current time, with a zone.
        cap_seconds: The longest wait that is obeyed.

    Returns:
        Seconds to wait; 0 when the header is absent, malformed or in the past.
    """
    if header is None:
        return 0.0
    text = header.strip()
    if text.isascii() and text.isdigit():
        # Twelve digits are some 30,000 years: the cap decides, and int() never sees a long text.
        return min(float(int(text[:12])), cap_seconds)
    return min(max(_seconds_until(text, now), 0.0), cap_seconds)


def _seconds_until(text: str, now: datetime) -> float:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - now).total_seconds()
