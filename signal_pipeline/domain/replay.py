"""What becomes of a dead letter: tried again after a while, or put into quarantine for good.

Rules, the first that fits decides:
1. Only records of topics that may be written again, given up by a group that may see them twice, are ever replayed.
2. A record that expired, or whose class says that no repetition can help, goes into quarantine.
3. A class that blames the surroundings (dependency, contention, overload, endpoint) is due again, as often as needed:
   the delays grow to the last one of the schedule and stay there.
4. Anything else has one attempt for each delay of the schedule, then it goes into quarantine.

Delays have full jitter: letters that died together do not come back together.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from signal_pipeline.domain.dead_letters import DeadLetterMetadata, Disposition
from signal_pipeline.domain.failures import POLICIES, FailureClass, ReplayAction

__all__ = ["ReplaySchedule", "next_attempt_at"]

# Stamping an outbox row again proves nothing new, and its record lives on a topic that only Debezium writes.
_NEVER_REPLAYED_GROUPS: Final = frozenset({"confirm-outbox"})


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplaySchedule:
    """When dead letters are tried again, and which.

    Attributes:
        delays_seconds: Longest wait before the first replay, the second, and so on.
        topics: Topics to which records may be published again.
    """

    delays_seconds: tuple[float, ...]
    topics: frozenset[str]

    @classmethod
    def parse(cls, delays: str, *, topics: frozenset[str]) -> "ReplaySchedule":
        """Return the schedule of a comma-separated list of seconds; `ValueError` when it is none.

        >>> ReplaySchedule.parse("60, 600", topics=frozenset()).delays_seconds
        (60.0, 600.0)
        """
        seconds = tuple(float(text) for text in delays.split(","))
        if not all(0 <= delay < float("inf") for delay in seconds):
            raise ValueError("a delay is a number of seconds, not negative")
        return cls(delays_seconds=seconds, topics=topics)

    def delay_seconds(self, attempts: int, *, chance: float) -> float:
        """Return the wait after this many failures, the first being 1; `chance` is a random number in [0, 1)."""
        return self.delays_seconds[min(max(attempts, 1), len(self.delays_seconds)) - 1] * chance


def next_attempt_at(
    letter: DeadLetterMetadata, *, attempts: int, schedule: ReplaySchedule, now: datetime, chance: float
) -> datetime | None:
    """Return when a dead letter is due again; None puts it into quarantine.

    Args:
        letter: What the dead letter says of itself.
        attempts: Failures counted so far, over all replays, this one included.
        schedule: Delays and topics.
        now: Current time.
        chance: A random number in [0, 1).
    """
    if letter.topic not in schedule.topics or letter.group in _NEVER_REPLAYED_GROUPS:
        return None
    if letter.disposition is Disposition.EXPIRED or POLICIES[letter.failure_class].replay is ReplayAction.QUARANTINE:
        return None
    if letter.failure_class is FailureClass.UNEXPECTED and attempts > len(schedule.delays_seconds):
        return None
    return now + timedelta(seconds=schedule.delay_seconds(attempts, chance=chance))
