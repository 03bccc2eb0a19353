"""A bounded rate. Pure: the time is passed in.

After n records the next ones may follow n / rate seconds later. Time that was not used is not made up for: a bounded
rate that may burst after a pause is no bound for whoever shares the topic.
"""

__all__ = ["Pace"]


class Pace:
    """When the next records may go.

    Args:
        per_second: Records a second.

    >>> pace = Pace(500)
    >>> pace.spent(100, now=10.0)
    >>> round(pace.wait(now=10.05), 3)
    0.15
    """

    def __init__(self, per_second: float) -> None:
        self.per_second = per_second
        self._next = float("-inf")

    def wait(self, *, now: float) -> float:
        """Return the seconds until the next records may go; 0 when they may."""
        return max(self._next - now, 0.0)

    def spent(self, count: int, *, now: float) -> None:
        """Note that records went."""
        self._next = max(self._next, now) + count / self.per_second
