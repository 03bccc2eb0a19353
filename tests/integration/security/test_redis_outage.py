"""Limits while Redis is away, and afterwards."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from signal_pipeline.errors import DependencyUnavailable
from signal_pipeline.observability.metrics import RateLimitMetrics
from signal_pipeline.security.limits import RedisLimiter, ResilientLimiter
from tests.integration.security.harness import slow_layer
from tests.support.redis_server import PASSWORD, RedisServer

TIMEOUT_SECONDS = 0.4  # long enough for a busy machine to answer in


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.mark.parametrize("silent", [True, False], ids=["paused", "stopped"])
async def test_a_limiter_of_the_process_takes_over(redis_server: RedisServer, *, silent: bool) -> None:
    """When Redis goes, one call waits for the timeout, all later ones are limited at once, and Redis is found again."""
    registry, clock = CollectorRegistry(), Clock()
    shared = RedisLimiter(redis_server.url, password=PASSWORD, timeout_seconds=TIMEOUT_SECONDS)
    limiter = ResilientLimiter(shared, RateLimitMetrics(registry), "local", clock=clock)
    layer = slow_layer(burst=3)
    loop = asyncio.get_running_loop()
    assert (await limiter.take([layer], 3)).allowed
    with capture_logs() as lines:
        (redis_server.pause if silent else redis_server.stop)()
        begin = loop.time()
        assert (await limiter.take([layer])).allowed  # the process' own limiter knows nothing of before
        first = loop.time() - begin
        later = [(await limiter.take([layer])).allowed for _ in range(100)]
        elapsed = loop.time() - begin
        clock.now += 1.0
        assert not (await limiter.take([layer])).allowed  # one that asks Redis again, in vain
        assert registry.get_sample_value("rate_limiter_fallback") == 1
        (redis_server.go_on if silent else redis_server.start)()
        clock.now += 1.0
        assert (await limiter.take([slow_layer(burst=3)])).remaining == 2
    assert first < 2 * TIMEOUT_SECONDS
    assert elapsed < first + 3 * TIMEOUT_SECONDS  # one more has waited for a timeout, and not each of a hundred
    assert later == [True] * 2 + [False] * 98
    assert registry.get_sample_value("rate_limiter_fallback") == 0
    assert [line["event"] for line in lines] == ["rate_limiter_fallback", "rate_limiter_recovered"]
    await limiter.close()


async def test_what_was_charged_before_a_pause_still_counts(redis_server: RedisServer) -> None:
    """After an outage that Redis survived, a limit that was reached before it is still reached."""
    clock = Clock()
    shared = RedisLimiter(redis_server.url, password=PASSWORD, timeout_seconds=TIMEOUT_SECONDS)
    limiter = ResilientLimiter(shared, RateLimitMetrics(CollectorRegistry()), "local", clock=clock)
    layer = slow_layer(burst=1)
    assert (await limiter.take([layer])).allowed
    redis_server.pause()
    assert (await limiter.take([layer])).allowed
    redis_server.go_on()
    clock.now += 1.0
    assert not (await limiter.take([layer])).allowed
    await limiter.close()


async def test_a_closed_limiter_refuses_all(redis_server: RedisServer) -> None:
    """Where nobody may pass unchecked, every call during an outage is answered 503, and none after it."""
    clock = Clock()
    shared = RedisLimiter(redis_server.url, password=PASSWORD, timeout_seconds=TIMEOUT_SECONDS)
    limiter = ResilientLimiter(shared, RateLimitMetrics(CollectorRegistry()), "closed", clock=clock)
    redis_server.pause()
    try:
        for _ in range(20):
            with pytest.raises(DependencyUnavailable) as caught:
                await limiter.take([slow_layer()])
            assert (caught.value.status, caught.value.failure.code) == (503, "rate_limiter_unavailable")
    finally:
        redis_server.go_on()
    clock.now += 1.0
    assert (await limiter.take([slow_layer()])).allowed
    await limiter.close()
