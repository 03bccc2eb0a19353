"""The limiter in Redis: what it leaves there, and what it does when Redis does not do as it should."""

import asyncio
import struct
from pathlib import Path

import pytest
import trustme

from signal_pipeline.errors import ConfigurationError, DependencyUnavailable
from signal_pipeline.security.limits import Layer, RedisLimiter
from tests.integration.security.harness import slow_layer
from tests.support.redis_server import PASSWORD, RedisServer

# 20 characters of a digest and 3 of the prefix would be too few to tell 1 M subjects apart; 16 bytes are 22 of base64.
KEY_CHARACTERS = len("rl:") + 22


def limiter_at(server: RedisServer, *, seconds: float = 5.0) -> RedisLimiter:
    """Return a limiter with a timeout that a busy machine keeps."""
    return RedisLimiter(server.url, password=PASSWORD, timeout_seconds=seconds)


async def test_keys_are_short_and_say_nothing(redis_server: RedisServer) -> None:
    """A key holds no subject and has one length, and it lives for as long as its level drains."""
    limiter = limiter_at(redis_server)
    layer = Layer(name="address", subject="203.0.113.9" * 100, per_second=0.1, burst=10)
    await limiter.take([layer], 6)
    await limiter.close()
    with redis_server.client() as client:
        keys = client.keys("*")
        assert [len(key) for key in keys] == [KEY_CHARACTERS]
        assert b"203.0" not in keys[0]
        assert 58_000 < client.pttl(keys[0]) <= 60_001  # 6 events at 0.1 a second


async def test_a_refused_call_writes_nothing(redis_server: RedisServer) -> None:
    """Whoever is refused cannot keep a key alive or make a new one."""
    limiter = limiter_at(redis_server)
    full, other = slow_layer(burst=1), slow_layer("address", burst=1)
    await limiter.take([full])
    assert not (await limiter.take([full, other])).allowed
    await limiter.close()
    with redis_server.client() as client:
        assert client.dbsize() == 1


async def test_a_clock_that_is_put_back_blocks_nobody(redis_server: RedisServer) -> None:
    """When Redis' clock goes back, a level drains from then on, and not only when the old time has come again."""
    limiter = limiter_at(redis_server)
    layer = slow_layer(burst=1)
    await limiter.take([layer])
    with redis_server.client() as client:
        key = client.keys("*")[0]
        level, at = struct.unpack("<dd", client.get(key))
        client.set(key, struct.pack("<dd", level, at + 1e12), ex=10**8)  # 11 days ahead
        assert not (await limiter.take([layer])).allowed
        level, later = struct.unpack("<dd", client.get(key))
        assert level == 1
        assert at <= later < at + 60e6
        assert client.ttl(key) < 10**8
    await limiter.close()


async def test_a_server_without_the_script_gets_it(redis_server: RedisServer) -> None:
    """A server that lost the script answers the same call, which is charged once; then it has the script."""
    limiter = limiter_at(redis_server)
    layer = slow_layer(burst=10)
    decisions = await asyncio.gather(*(limiter.take([layer]) for _ in range(3)))
    assert sorted(one.remaining for one in decisions) == [7, 8, 9]
    with redis_server.client() as client:
        client.script_flush()
        assert (await limiter.take([layer])).remaining == 6
        assert (await limiter.take([layer])).remaining == 5
        assert client.info("commandstats")["cmdstat_script|load"]["calls"] == 2
    await limiter.close()


async def test_a_restarted_server_is_used_again(redis_server: RedisServer) -> None:
    """A connection that a restart has closed is made anew within the same call."""
    limiter = limiter_at(redis_server)
    await limiter.take([slow_layer()])
    redis_server.stop()
    redis_server.start()
    assert (await limiter.take([slow_layer()])).allowed
    await limiter.close()


async def test_a_cancelled_call_shifts_no_answers(redis_server: RedisServer) -> None:
    """When callers go away while they wait, every other call gets its own answer."""
    limiter = limiter_at(redis_server)
    layers = [slow_layer(burst=100 + number) for number in range(50)]
    tasks = [asyncio.create_task(limiter.take([layer])) for layer in layers]
    await asyncio.sleep(0)  # lets them start
    for task in tasks[::2]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    decisions = await asyncio.gather(*tasks[1::2], *(limiter.take([layer]) for layer in layers))
    assert [one.limit for one in decisions] == [*range(101, 150, 2), *range(100, 150)]
    await limiter.close()


async def test_closing_ends_the_calls_that_wait(redis_server: RedisServer) -> None:
    """Whoever waits when the limiter is closed gets an error and does not wait for ever."""
    limiter = limiter_at(redis_server)
    redis_server.pause()
    try:
        waiting = [asyncio.create_task(limiter.take([slow_layer()])) for _ in range(3)]
        await asyncio.sleep(0)  # lets them start
        await limiter.close()
        outcomes = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 5)
    finally:
        redis_server.go_on()
    assert [type(one) for one in outcomes] == [DependencyUnavailable] * 3


async def test_every_call_fails_within_the_timeout(redis_server: RedisServer) -> None:
    """With a server that is silent, more calls than one round trip holds fail after one timeout and not one by one."""
    limiter = limiter_at(redis_server, seconds=0.2)
    loop = asyncio.get_running_loop()
    redis_server.pause()
    try:
        begin = loop.time()
        calls = (limiter.take([slow_layer()]) for _ in range(1000))
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        elapsed = loop.time() - begin
    finally:
        redis_server.go_on()
    assert {type(one) for one in outcomes} == {DependencyUnavailable}
    assert 0.2 <= elapsed < 0.8  # 1000 calls are five round trips, which would be a second
    await limiter.close()


async def test_a_wrong_password_is_an_outage_that_tells_no_secret(redis_server: RedisServer) -> None:
    """A refused login says so by the kind of error, without the password."""
    limiter = RedisLimiter(redis_server.url, password="canary-5f2c", timeout_seconds=5.0)
    with pytest.raises(DependencyUnavailable, match="AuthenticationError") as caught:
        await limiter.take([slow_layer()])
    assert "canary" not in str(caught.value)
    await limiter.close()


async def test_a_server_without_memory_is_an_outage(redis_server: RedisServer) -> None:
    """A server that can neither store nor evict cannot charge, so nothing is allowed on its behalf."""
    limiter = limiter_at(redis_server)
    with redis_server.client() as client:
        before = client.config_get("maxmemory*")
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", "1kb")
        try:
            with pytest.raises(DependencyUnavailable, match="OutOfMemoryError"):
                await limiter.take([slow_layer()])
        finally:
            for name in ("maxmemory", "maxmemory-policy"):
                client.config_set(name, before[name])
    await limiter.close()


@pytest.mark.parametrize("url", ["localhost:6379", "http://127.0.0.1", "redis://127.0.0.1:port/0"])
def test_an_address_that_is_none_stops_the_start(url: str) -> None:
    """A malformed address is an error that names the setting."""
    with pytest.raises(ConfigurationError, match="REDIS_URL"):
        RedisLimiter(url)


async def test_tls_trusts_the_named_authority_alone(tmp_path: Path) -> None:
    """A server whose certificate the authority of the settings signed is used; any other is an outage."""
    server = RedisServer(tmp_path, trustme.CA())
    server.start()
    stranger = tmp_path / "stranger.pem"
    trustme.CA().cert_pem.write_to_path(str(stranger))
    try:
        limiter = RedisLimiter(server.url, password=PASSWORD, ca_file=server.ca_file, timeout_seconds=5.0)
        assert (await limiter.take([slow_layer()])).allowed
        await limiter.close()
        for ca_file in (str(stranger), ""):
            limiter = RedisLimiter(server.url, password=PASSWORD, ca_file=ca_file, timeout_seconds=5.0)
            with pytest.raises(DependencyUnavailable):
                await limiter.take([slow_layer()])
            await limiter.close()
    finally:
        server.stop()
