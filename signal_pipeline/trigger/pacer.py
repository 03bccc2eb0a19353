"""When the next request of a steady source is due. Pure.

Due times are multiples of the interval from the start, so that late requests cause no drift. After a hold-up only a
bounded part is made up for: the rest of the missed time is given up.
"""

__all__ = ["Pacer"]


class Pacer:
    """Due times at a steady interval.

    Args:
        interval_seconds: Time between two requests.
        start: Time of the first.
        make_up_seconds: The most time that is made up for.
    """

    def __init__(self, *, interval_seconds: float, start: float, make_up_seconds: float) -> None:
        self._interval = interval_seconds
        self._next = start
        self._make_up = make_up_seconds

    def wait(self, now: float) -> float:
        """Return the seconds until the next request is due; 0 when it is."""
        self._next = max(self._next, now - self._make_up)
        return max(self._next - now, 0.0)

    def sent(self) -> None:
        """Note that the request that was due is on its way."""
        self._next += self._interval
