"""What every rate limiter does: one suite for that of a process and that of Redis."""

import asyncio
import math
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signal_pipeline.security.limits import UNLIMITED, Layer, RedisLimiter
from tests.integration.security.harness import EVENT_SECONDS, Harness, local_harness, redis_harness, slow_layer
from tests.support.redis_server import PASSWORD, RedisServer


@pytest.fixture(params=["local", "redis"])
def harness(request: pytest.FixtureRequest) -> Harness:
    """Each limiter in turn."""
    if request.param == "local":
        return local_harness()
    return redis_harness(request.getfixturevalue("redis_server"))


async def test_a_burst_passes_and_then_the_rate(harness: Harness) -> None:
    """As many events as the burst pass at once; each later one passes when one has drained."""
    layer = slow_layer(burst=5)
    passed = [await harness.limiter.take([layer]) for _ in range(5)]
    assert [(one.allowed, one.remaining) for one in passed] == [(True, 4), (True, 3), (True, 2), (True, 1), (True, 0)]
    refused = await harness.limiter.take([layer])
    assert (refused.allowed, refused.layer, refused.limit, refused.remaining) == (False, "key", 5, 0)
    assert refused.retry_after_seconds == pytest.approx(EVENT_SECONDS, abs=60)
    assert refused.reset_seconds == pytest.approx(5 * EVENT_SECONDS, abs=60)
    harness.pass_seconds(refused.retry_after_seconds)
    assert (await harness.limiter.take([layer])).allowed
    assert not (await harness.limiter.take([layer])).allowed


async def test_a_batch_costs_its_events(harness: Harness) -> None:
    """A call with several events is allowed for all of them or none, and waits for as many as it lacks."""
    layer = slow_layer(burst=10)
    assert (await harness.limiter.take([layer], 7)).remaining == 3
    refused = await harness.limiter.take([layer], 5)
    assert (refused.allowed, refused.remaining) == (False, 3)
    assert refused.retry_after_seconds == pytest.approx(2 * EVENT_SECONDS, abs=60)
    assert (await harness.limiter.take([layer], 3)).allowed


async def test_one_refusing_layer_leaves_the_others_uncharged(harness: Harness) -> None:
    """A call that any layer refuses costs nothing in the others."""
    tight, loose = slow_layer("key", burst=1), slow_layer("global", burst=5)
    assert (await harness.limiter.take([tight, loose])).layer == "key"
    refusals = [await harness.limiter.take([loose, tight]) for _ in range(10)]
    assert {(one.allowed, one.layer) for one in refusals} == {(False, "key")}
    assert (await harness.limiter.take([loose], 4)).allowed


async def test_the_longest_wait_is_told(harness: Harness) -> None:
    """Of several layers that refuse, that is named whose wait is the longest: after it the call works."""
    quick, slow = slow_layer("key", burst=1, events=2), slow_layer("address", burst=1)
    assert (await harness.limiter.take([quick, slow])).allowed
    for layers in ([quick, slow], [slow, quick]):
        refused = await harness.limiter.take(layers)
        assert refused.layer == "address"
        assert refused.retry_after_seconds == pytest.approx(EVENT_SECONDS, abs=60)


async def test_what_can_never_pass_is_told_apart(harness: Harness) -> None:
    """A call that costs more than a burst is refused for ever, without a time to come back, and charges nothing."""
    layer, other = slow_layer(burst=5), slow_layer("global", burst=100)
    refused = await harness.limiter.take([other, layer], 6)
    assert (refused.allowed, refused.never, refused.layer, refused.limit) == (False, True, "key", 5)
    assert refused.retry_after_seconds == 0
    assert (await harness.limiter.take([other, layer], 5)).allowed


async def test_without_layers_everything_passes(harness: Harness) -> None:
    """No limit is no refusal."""
    assert await harness.limiter.take([]) == UNLIMITED


@pytest.mark.parametrize("cost", [0, -1])
async def test_a_cost_below_one_is_an_error(harness: Harness, cost: int) -> None:
    """Nobody gets events back by asking for fewer than none."""
    with pytest.raises(ValueError, match="at least 1"):
        await harness.limiter.take([slow_layer()], cost)


@pytest.mark.parametrize("subject", ["", "x" * 100_000, "\ud800", "a\0b", "\r\nSET x y", "{tag}", "ü 💥"])
async def test_any_text_is_a_subject(harness: Harness, subject: str) -> None:
    """Whatever a caller sends for a name is limited under it, and under no other."""
    layers = [slow_layer("login_user", burst=1, subject=text) for text in (subject, subject + "'")]
    layers = [Layer(name=one.name, subject=one.subject, per_second=one.per_second, burst=1) for one in layers]
    assert [(await harness.limiter.take([one])).allowed for one in layers] == [True, True]
    assert [(await harness.limiter.take([one])).allowed for one in layers] == [False, False]


async def test_layers_of_one_subject_are_separate(harness: Harness) -> None:
    """The same subject under two names has two limits."""
    user, address = (slow_layer(name, burst=1, subject="same") for name in ("login_user", "login_address"))
    assert (await harness.limiter.take([user])).allowed
    assert (await harness.limiter.take([address])).allowed


async def test_calls_at_once_never_exceed_a_layer(harness: Harness) -> None:
    """Of many calls at once exactly as many pass as the tightest layer holds, and the others are charged as much."""
    key, everybody = slow_layer("key", burst=300), slow_layer("global", burst=1000)
    decisions = await asyncio.gather(*(harness.limiter.take([key, everybody]) for _ in range(700)))
    assert sum(one.allowed for one in decisions) == 300
    assert (await harness.limiter.take([everybody], 700)).allowed
    assert not (await harness.limiter.take([everybody])).allowed


class Model:
    """GCRA in its other form, virtual scheduling, with exact numbers: when the next event would be on time."""

    def __init__(self) -> None:
        self.now = Fraction(0)
        self._arrival: dict[str, Fraction] = {}

    def take(self, layers: list[Layer], cost: int) -> bool:
        """Tell whether a call passes, and charge it."""
        later = {}
        for layer in layers:
            interval = 1 / Fraction(layer.per_second)
            later[layer.name] = max(self.now, self._arrival.get(layer.name, self.now)) + cost * interval
            if later[layer.name] - self.now > Fraction(layer.burst) * interval:
                return False
        self._arrival.update(later)
        return True


steps = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, 6), st.sets(st.sampled_from(["key", "address", "global"]), min_size=1)),
    max_size=25,
)


async def _compare(harness: Harness, chosen: list[tuple[int, int, set[str]]]) -> None:
    model = Model()
    layers = {
        "key": slow_layer("key", burst=5),
        "address": slow_layer("address", burst=8, events=2),
        "global": slow_layer("global", burst=6.5, events=0.5),
    }
    for passing, cost, names in chosen:
        harness.pass_seconds(passing * EVENT_SECONDS)
        model.now += Fraction(passing * EVENT_SECONDS)
        asked = [layers[name] for name in sorted(names)]
        decision = await harness.limiter.take(asked, cost)
        assert decision.allowed == model.take(asked, cost)
        assert decision.never == (cost > min(layer.burst for layer in asked))
        assert (decision.retry_after_seconds >= 1) == (not decision.allowed and not decision.never)
        assert 0 <= decision.remaining <= decision.limit
        assert decision.reset_seconds <= math.ceil(decision.window_seconds)
    await harness.limiter.close()


@given(chosen=steps)
def test_the_local_limiter_is_the_algorithm(chosen: list[tuple[int, int, set[str]]]) -> None:
    """Any calls at any times get the decisions of the other form of the algorithm."""
    asyncio.run(_compare(local_harness(), chosen))


@given(chosen=steps)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_script_in_redis_is_the_algorithm(
    redis_server: RedisServer, chosen: list[tuple[int, int, set[str]]]
) -> None:
    """Any calls at any times get the decisions of the other form of the algorithm."""
    with redis_server.client() as client:
        client.flushdb()
    asyncio.run(_compare(redis_harness(redis_server), chosen))


async def test_two_limiters_share_what_is_in_redis(redis_server: RedisServer) -> None:
    """A limit is one for all processes."""
    first, second = (RedisLimiter(redis_server.url, password=PASSWORD, timeout_seconds=5.0) for _ in range(2))
    layer = slow_layer(burst=100)
    decisions = await asyncio.gather(*(one.take([layer]) for one in (first, second) * 100))
    assert sum(one.allowed for one in decisions) == 100
    await first.close()
    await second.close()
