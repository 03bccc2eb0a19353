"""Which limits a call has, what a caller is told, and who decides while Redis is away."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from signal_pipeline.errors import DependencyUnavailable
from signal_pipeline.observability.metrics import RateLimitMetrics
from signal_pipeline.security.limits import (
    UNLIMITED,
    Decision,
    Layer,
    LocalLimiter,
    ResilientLimiter,
    layers_for,
    login_layers,
    rate_limit_headers,
)
from signal_pipeline.settings import Settings

DEFAULTS = Settings(_env_file=None)
LAYER = Layer(name="key", subject="a", per_second=1.0, burst=3.0)


def limits_of(layers: Sequence[Layer]) -> list[tuple[str, str, float, float]]:
    """Return the layers as plain tuples."""
    return [(one.name, one.subject, one.per_second, one.burst) for one in layers]


def test_a_call_has_the_layers_of_the_settings() -> None:
    """Key, address and all have the rate of their setting, and a burst of so many seconds of it."""
    settings = DEFAULTS.model_copy(
        update={
            "rate_limit_per_key": 100,
            "rate_limit_per_address": 50,
            "rate_limit_global": 1000,
            "rate_limit_burst_seconds": 1.5,
        }
    )
    assert limits_of(layers_for(settings, key="k1", address="192.0.2.1")) == [
        ("key", "k1", 100, 150),
        ("address", "192.0.2.1", 50, 75),
        ("global", "*", 1000, 1500),
    ]


def test_a_layer_without_a_rate_or_a_subject_is_left_out() -> None:
    """0 is no limit, and who has no key has no limit of a key."""
    settings = DEFAULTS.model_copy(update={"rate_limit_per_address": 0})
    assert [one.name for one in layers_for(settings, address="192.0.2.1")] == ["global"]
    unlimited = settings.model_copy(update={"rate_limit_per_key": 0, "rate_limit_global": 0})
    assert layers_for(unlimited, key="k1", address="192.0.2.1") == []


def test_one_event_always_fits() -> None:
    """A rate whose burst is less than an event lets one through at a time."""
    settings = DEFAULTS.model_copy(update={"rate_limit_per_key": 1, "rate_limit_burst_seconds": 0.1})
    assert limits_of(layers_for(settings, key="k1"))[0] == ("key", "k1", 1, 1)


def test_a_login_has_its_user_and_its_address() -> None:
    """The attempts of a minute may come at once; then one comes every so many seconds."""
    settings = DEFAULTS.model_copy(update={"login_attempts_per_minute": 6})
    assert limits_of(login_layers(settings, "admin", "192.0.2.1")) == [
        ("login_user", "admin", 0.1, 6),
        ("login_address", "192.0.2.1", 0.1, 6),
    ]


@pytest.mark.parametrize(("per_second", "burst"), [(0, 5), (-1, 5), (1, 0.5), (float("inf"), 5), (1, float("nan"))])
def test_a_layer_that_cannot_be_kept_is_an_error(per_second: float, burst: float) -> None:
    """A rate of nothing, or a burst below one event, would refuse for ever."""
    with pytest.raises(ValueError, match="layer key"):
        Layer(name="key", subject="a", per_second=per_second, burst=burst)


async def test_headers_of_an_allowed_call() -> None:
    """A caller is told what is left, and when all of it is back; both forms say the same."""
    decision = await LocalLimiter(clock=lambda: 0.0).take([LAYER])
    assert rate_limit_headers(decision) == {
        "RateLimit-Limit": "3",
        "RateLimit-Remaining": "2",
        "RateLimit-Reset": "1",
        "RateLimit-Policy": '"key";q=3;w=3',
        "RateLimit": '"key";r=2;t=1',
    }


async def test_headers_of_a_refused_call() -> None:
    """A refused caller is told when to come back, which is never later than when all is back."""
    limiter = LocalLimiter(clock=lambda: 0.0)
    await limiter.take([LAYER], 3)
    assert rate_limit_headers(await limiter.take([LAYER], 2)) == {
        "RateLimit-Limit": "3",
        "RateLimit-Remaining": "0",
        "RateLimit-Reset": "3",
        "RateLimit-Policy": '"key";q=3;w=3',
        "RateLimit": '"key";r=0;t=2',
        "Retry-After": "2",
    }


async def test_headers_tell_nothing_that_is_not_so() -> None:
    """Without a limit there is none to tell of, and a call that can never pass has no time to come back."""
    assert rate_limit_headers(UNLIMITED) == {}
    assert "Retry-After" not in rate_limit_headers(await LocalLimiter().take([LAYER], 4))


@given(
    rate=st.floats(0.01, 1e6), burst=st.floats(1, 1e6), spent=st.integers(1, 1_000_000), cost=st.integers(1, 1_000_000)
)
@example(rate=0.58, burst=58, spent=58, cost=58)  # 100 * 0.58 is less than 58
def test_retry_after_is_enough(rate: float, burst: float, spent: int, cost: int) -> None:
    """After the seconds of Retry-After the same call passes, when nobody else has called; no wait is below a second."""
    now = 0.0
    limiter = LocalLimiter(clock=lambda: now)
    layer = Layer(name="key", subject="a", per_second=rate, burst=burst)
    asyncio.run(limiter.take([layer], min(spent, int(burst))))
    decision = asyncio.run(limiter.take([layer], cost))
    if not decision.allowed and not decision.never:
        assert decision.retry_after_seconds >= 1
        assert int(rate_limit_headers(decision)["RateLimit-Reset"]) >= decision.retry_after_seconds
        now += decision.retry_after_seconds
        assert asyncio.run(limiter.take([layer], cost)).allowed


async def test_the_local_limiter_forgets_who_was_not_seen_longest() -> None:
    """Of more subjects than are remembered the one seen last of all goes; being refused is being seen."""
    limiter = LocalLimiter(most_subjects=3, clock=lambda: 0.0)
    a, b, c, d = (Layer(name="key", subject=name, per_second=1, burst=1) for name in "abcd")
    for layer in (a, b, c):
        assert (await limiter.take([layer])).allowed
    assert not (await limiter.take([a])).allowed
    assert (await limiter.take([d])).allowed
    assert [(await limiter.take([layer])).allowed for layer in (a, c, d)] == [False] * 3
    assert (await limiter.take([b])).allowed


class Shared:
    """A limiter across processes that is away when a test says so, and counts how often it is asked."""

    def __init__(self) -> None:
        self.away = False
        self.asked = 0
        self.answer = asyncio.Event()
        self.answer.set()
        self._limiter = LocalLimiter(clock=lambda: 0.0)

    async def take(self, layers: Sequence[Layer], cost: int = 1) -> Decision:
        """Decide, or fail."""
        self.asked += 1
        await self.answer.wait()
        if self.away:
            raise DependencyUnavailable("away")
        return await self._limiter.take(layers, cost)

    async def close(self) -> None:
        """Have nothing to close."""


async def test_one_call_a_second_asks_a_dead_redis() -> None:
    """During an outage only one call a second asks Redis, however many come, and nobody waits for that one."""
    shared, now = Shared(), 0.0
    limiter = ResilientLimiter(shared, RateLimitMetrics(CollectorRegistry()), "local", clock=lambda: now)
    shared.away = True
    for _ in range(100):
        await limiter.take([LAYER])
    assert shared.asked == 1
    now = 0.99
    await limiter.take([LAYER])
    assert shared.asked == 1
    now = 1.0
    shared.answer.clear()
    trying = asyncio.create_task(limiter.take([LAYER]))
    await asyncio.sleep(0)  # lets it start
    for _ in range(100):
        await limiter.take([LAYER])
    assert shared.asked == 2
    shared.away = False
    shared.answer.set()
    await trying
    await limiter.take([LAYER])
    assert shared.asked == 3


async def test_a_call_that_needs_no_redis_ends_no_outage() -> None:
    """What is decided without Redis, such as a call over the burst, does not say that Redis is back."""
    registry, shared, now = CollectorRegistry(), Shared(), 0.0
    limiter = ResilientLimiter(shared, RateLimitMetrics(registry), "local", clock=lambda: now)
    shared.away = True
    await limiter.take([LAYER])
    shared.away = False
    for layers, cost in (([LAYER], 4), ([], 1)):
        now += 1.0
        await limiter.take(layers, cost)
        assert registry.get_sample_value("rate_limiter_fallback") == 1


async def test_decisions_are_counted_by_layer_and_outcome() -> None:
    """Every decision counts once, under the layer that made it; layers beyond reason share one series."""
    registry = CollectorRegistry()
    limiter = ResilientLimiter(Shared(), RateLimitMetrics(registry), "closed")
    for cost in (3, 1, 4):
        await limiter.take([LAYER], cost)
    for outcome in ("allowed", "refused", "never"):
        labels = {"layer": "key", "outcome": outcome}
        assert registry.get_sample_value("rate_limit_decisions_total", labels) == 1
    for number in range(100):
        await limiter.take([Layer(name=f"layer-{number}", subject="a", per_second=1, burst=1)])
    series = [one for family in registry.collect() for one in family.samples if one.name.startswith("rate_limit_dec")]
    assert len(series) == 9 + 15 + 1  # of the layers that are always there; of fifteen more; of all others
