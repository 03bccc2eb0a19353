"""Percentiles of measured values."""

import math
from collections.abc import Sequence

__all__ = ["percentile"]


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the smallest value that at least `share` of the values do not exceed; None without values.

    No interpolation: the answer is a value that was measured.

    >>> percentile([4.0, 1.0, 3.0, 2.0], 0.5)
    2.0
    """
    if not values:
        return None
    rank = max(math.ceil(share * len(values)), 1)
    return sorted(values)[rank - 1]
