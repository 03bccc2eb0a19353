"""Both limiters with a clock that tests move, so that one suite holds for them."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from signal_pipeline.security.limits import Layer, LocalLimiter, RateLimiter, RedisLimiter
from tests.support.redis_server import PASSWORD, RedisServer

# So slow that the real time of a test drains nothing: 2 ** 20 s are 12 days, and exact in a double.
EVENT_SECONDS = 2.0**20

_numbers = count()


@dataclass(frozen=True)
class Harness:
    """A limiter and its clock.

    Attributes:
        limiter: The limiter.
        pass_seconds: Lets time pass for it.
    """

    limiter: RateLimiter
    pass_seconds: Callable[[float], None]


def slow_layer(name: str = "key", *, burst: float = 5, events: float = 1.0, subject: str | None = None) -> Layer:
    """Return a layer that drains some events in EVENT_SECONDS, of a subject of its own when none is given."""
    return Layer(
        name=name, subject=subject or f"subject-{next(_numbers)}", per_second=events / EVENT_SECONDS, burst=burst
    )


def local_harness() -> Harness:
    """Return the limiter of one process."""
    now = 0.0

    def pass_seconds(seconds: float) -> None:
        nonlocal now
        now += seconds

    return Harness(LocalLimiter(clock=lambda: now), pass_seconds)


def redis_harness(server: RedisServer) -> Harness:
    """Return the limiter across processes; for it time passes by making all levels older."""

    def pass_seconds(seconds: float) -> None:
        with server.client() as client:
            for key in client.scan_iter("rl:*"):
                value = client.get(key)
                assert isinstance(value, bytes)
                level, at = struct.unpack("<dd", value)
                client.set(key, struct.pack("<dd", level, at - seconds * 1e6), keepttl=True)

    return Harness(RedisLimiter(server.url, password=PASSWORD, timeout_seconds=5.0), pass_seconds)
