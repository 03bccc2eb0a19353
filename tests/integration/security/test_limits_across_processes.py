"""A limit is one limit however many processes serve, and whatever happens to them (row 15 of the abuse matrix)."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import pytest

from local.layout import ROOT
from signal_pipeline.security.limits import Layer, RedisLimiter
from tests.support.redis_server import PASSWORD, RedisServer

RATE, BURST = 1000.0, 1000.0
SECONDS = 2.0


class Hammer:
    """A running `tests.support.hammer`."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        assert self._read() == "ready"

    def send_line(self) -> None:
        """Let it begin, or end."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def result(self) -> dict[str, float]:
        """Return what it counted."""
        counted: dict[str, float] = json.loads(self._read())
        return counted

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@contextmanager
def hammers(server: RedisServer, number: int) -> Iterator[list[Hammer]]:
    """Lend so many processes that are ready to begin."""
    command = [sys.executable, "-m", "tests.support.hammer", server.url, str(RATE), str(BURST)]
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            for _ in range(number)
        ]
        for process in processes:
            stack.callback(process.kill)
        yield [Hammer(process) for process in processes]


def run_for(running: Sequence[Hammer], seconds: float) -> list[dict[str, float]]:
    """Let hammers work for a time and return what each counted."""
    for hammer in running:
        hammer.send_line()
    time.sleep(seconds)  # the measured time itself, not a wait for something
    for hammer in running:
        hammer.send_line()
    return [hammer.result() for hammer in running]


def test_processes_together_keep_the_rate(redis_server: RedisServer) -> None:
    """Three processes that call as fast as they can get together what one would: burst + rate * time, within 5 %.

    Then three others go on in their place: a process that starts brings no new burst, which would be 20 % more.
    """
    with hammers(redis_server, 3) as first, hammers(redis_server, 3) as second:
        counted = run_for(first, SECONDS) + run_for(second, SECONDS)
    elapsed = max(one["end"] for one in counted) - min(one["begin"] for one in counted)
    assert sum(one["allowed"] for one in counted) == pytest.approx(BURST + RATE * elapsed, rel=0.05)
    assert all(one["allowed"] > 0 for one in counted)


async def test_retry_after_holds_for_another_process(redis_server: RedisServer) -> None:
    """Whoever comes back after Retry-After passes, at another process than the one that refused."""
    layer = Layer(name="key", subject="someone", per_second=1.0, burst=2)
    first, second = (RedisLimiter(redis_server.url, password=PASSWORD, timeout_seconds=5.0) for _ in range(2))
    assert (await first.take([layer], 2)).allowed
    await first.close()  # as when its process ends
    refused = await second.take([layer])
    assert (refused.allowed, refused.retry_after_seconds) == (False, 1)
    await asyncio.sleep(refused.retry_after_seconds)  # what is specified is this time
    assert (await second.take([layer])).allowed
    await second.close()
