"""A process that calls the limiter in Redis as fast as it can: `python -m tests.support.hammer URL RATE BURST`.

It says `ready`, waits for a line, hammers until the next one, and prints as JSON how many calls were allowed, and when
the first and the last call was made, in seconds since 1970.
"""

import asyncio
import json
import sys
import time

from signal_pipeline.security.limits import Layer, RedisLimiter
from tests.support.redis_server import PASSWORD

__all__ = ["hammered_layers"]

_AT_ONCE = 4


def hammered_layers(rate: float, burst: float) -> list[Layer]:
    """Return the layers of all hammers: one that limits, and one that does not."""
    return [
        Layer(name="key", subject="hammered", per_second=rate, burst=burst),
        Layer(name="global", subject="*", per_second=1e6, burst=1e6),
    ]


async def _hammer(url: str, layers: list[Layer], stop: asyncio.Event) -> int:
    limiter = RedisLimiter(url, password=PASSWORD, timeout_seconds=5.0)

    async def calls() -> int:
        allowed = 0
        while not stop.is_set():
            allowed += (await limiter.take(layers)).allowed
        return allowed

    counts = await asyncio.gather(*(calls() for _ in range(_AT_ONCE)))
    await limiter.close()
    return sum(counts)


async def _main() -> None:
    url, rate, burst = sys.argv[1:]
    stop = asyncio.Event()
    print("ready", flush=True)  # noqa: T201 - the parent waits for it
    await asyncio.to_thread(sys.stdin.readline)
    begin = time.time()
    work = asyncio.create_task(_hammer(url, hammered_layers(float(rate), float(burst)), stop))
    await asyncio.to_thread(sys.stdin.readline)
    stop.set()
    print(json.dumps({"allowed": await work, "begin": begin, "end": time.time()}), flush=True)  # noqa: T201 - its result


if __name__ == "__main__":
    asyncio.run(_main())
