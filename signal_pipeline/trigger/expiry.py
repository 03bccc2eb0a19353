"""Which events are too old to be delivered. Pure.

1. Age counts from the broker's timestamp, whether the event was tried or not.
2. Failures that are not the event's fault never let it expire, however long they last.
3. Nor does waiting behind such a failure: what came before a hold ended, and was not too old when it began, is tried.

                 began - age           began              ended            now
    ──── too old ────┼───────── tried ───┼───────── tried ──┼── by its age ──▶

A trigger that starts anew knows of no earlier hold.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.trigger.pending import Fate, Pending

__all__ = ["Hold", "hold_after", "too_old"]

_NEVER_EXPIRE: Final = frozenset({FailureClass.DEPENDENCY, FailureClass.OVERLOAD, FailureClass.ENDPOINT})


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    """Time during which a partition could not go on; milliseconds since 1970.

    Attributes:
        began: Start of the first delivery that was held.
        ended: End of the first delivery that was not; infinite until then.
    """

    began: float
    ended: float = inf


def too_old(pending: Pending, hold: Hold | None, *, age_ms: float, now_ms: float) -> bool:
    """Tell whether a record that waits has expired.

    Args:
        pending: The record.
        hold: The last hold of its partition.
        age_ms: Age at which it expires.
        now_ms: Current time.
    """
    timestamp = pending.record.timestamp_ms
    if pending.fate is not Fate.WAITING or timestamp >= now_ms - age_ms or _is_held(pending):
        return False
    return hold is None or not hold.began - age_ms <= timestamp <= hold.ended


def hold_after(hold: Hold | None, entries: Sequence[Pending], *, started_ms: float, now_ms: float) -> Hold | None:
    """Return the hold of a partition after a delivery.

    Args:
        hold: The hold before.
        entries: What the partition gave to the delivery.
        started_ms: When it started.
        now_ms: When it ended.
    """
    if any(map(_is_held, entries)):
        # A hold whose backlog is not through is the same one: its beginning still protects what waits.
        return Hold(began=hold.began if hold else started_ms)
    if hold is None:
        return None
    if hold.ended == inf:
        return Hold(began=hold.began, ended=now_ms)
    return None if _newest(entries) > hold.ended else hold


def _is_held(pending: Pending) -> bool:
    failure = pending.failure
    return pending.fate is Fate.WAITING and failure is not None and failure.failure_class in _NEVER_EXPIRE


def _newest(entries: Iterable[Pending]) -> float:
    return max((one.record.timestamp_ms for one in entries), default=-inf)
