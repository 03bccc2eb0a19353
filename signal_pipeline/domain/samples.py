"""Sample signals: what emit makes when it is asked for signals without being given any."""

import random
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

__all__ = ["Sample", "sample_signal", "time_uuid"]

_SOURCES: Final = ("web", "mobile", "api")
_TYPES: Final = ("login", "purchase", "click", "api_call")
_USERS: Final = 1000
_SESSIONS: Final = (10_000, 99_999)
_DATA_VALUES: Final = 100
# 100 ns intervals from the start of the Gregorian calendar, where UUID time begins, to 1970.
_UUID_EPOCH: Final = 0x01B21DD213814000


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One sample signal.

    Attributes:
        id: UUID of version 1.
        source: One of the sample sources.
        type: One of the sample types.
        user_id: `user_1` to `user_1000`.
        time: When it happened.
        payload: `{"session_id": "sess_<10000..99999>", "data": "sample_data_<1..100>"}`.
    """

    id: UUID
    source: str
    type: str
    user_id: str
    time: datetime
    payload: dict[str, str]


def time_uuid(nanoseconds: int, rng: random.Random) -> UUID:
    """Return a UUID of version 1 with a random node.

    Args:
        nanoseconds: Time since 1970.
        rng: Source of the node and clock sequence; 61 random bits keep processes apart without any coordination.
    """
    ticks = nanoseconds // 100 + _UUID_EPOCH
    node = rng.getrandbits(48) | 1 << 40  # the multicast bit says that the node is no hardware address
    fields = (ticks & 0xFFFFFFFF, ticks >> 32 & 0xFFFF, ticks >> 48 & 0x0FFF, rng.getrandbits(6), rng.getrandbits(8))
    return UUID(fields=(*fields, node), version=1)


def sample_signal(nanoseconds: int, time: datetime, rng: random.Random) -> Sample:
    """Return a random sample signal.

    Args:
        nanoseconds: Time since 1970, for the id.
        time: The same time, for the signal.
        rng: Source of every choice.
    """
    return Sample(
        id=time_uuid(nanoseconds, rng),
        source=rng.choice(_SOURCES),
        type=rng.choice(_TYPES),
        user_id=f"user_{rng.randint(1, _USERS)}",
        time=time,
        payload={
            "session_id": f"sess_{rng.randint(*_SESSIONS)}",
            "data": f"sample_data_{rng.randint(1, _DATA_VALUES)}",
        },
    )
