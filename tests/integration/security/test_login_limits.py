"""Whoever tries passwords is stopped, wherever it claims to come from (row 14 of the abuse matrix, the limits)."""

from collections.abc import Iterable

from starlette.types import Scope

from signal_pipeline.security.limits import RedisLimiter, login_layers
from signal_pipeline.serving.client_address import TrustedProxies
from signal_pipeline.settings import Settings
from tests.support.redis_server import PASSWORD, RedisServer

PROXY = "10.0.0.1"
ATTEMPTS = 500
# 10 a minute is one in six seconds: nothing that was charged drains in the time of a test.
SETTINGS = Settings(_env_file=None, trusted_proxies="10.0.0.0/8", login_attempts_per_minute=10)


async def attempts(server: RedisServer, tries: Iterable[tuple[str, Scope]]) -> tuple[int, int]:
    """Return how many of some attempts, by user name and request, were allowed, and how many keys they left."""
    proxies = TrustedProxies.of(SETTINGS)
    limiter = RedisLimiter(server.url, password=PASSWORD, timeout_seconds=5.0)
    allowed = 0
    for username, scope in tries:
        allowed += (await limiter.take(login_layers(SETTINGS, username, proxies.address(scope)))).allowed
    await limiter.close()
    with server.client() as client:
        return allowed, int(client.dbsize())


def request(peer: str, forwarded: str) -> Scope:
    """Return a request of a peer with a claim of where it comes from."""
    return {"type": "http", "client": (peer, 5000), "headers": [(b"x-forwarded-for", forwarded.encode())]}


async def test_invented_addresses_do_not_help(redis_server: RedisServer) -> None:
    """A caller that names another address and another user each time has the attempts of its own address, no more."""
    direct = ((f"user-{n}", request("192.0.2.1", f"203.0.113.{n % 250}")) for n in range(ATTEMPTS))
    assert await attempts(redis_server, direct) == (10, 1 + 10)  # its address, and those users that it got to try


async def test_invented_addresses_do_not_help_behind_a_proxy(redis_server: RedisServer) -> None:
    """What a caller writes left of its own address is not believed when it comes through a trusted proxy either."""
    proxied = (("admin", request(PROXY, f"203.0.113.{n % 250}, 192.0.2.1")) for n in range(ATTEMPTS))
    assert await attempts(redis_server, proxied) == (10, 2)


async def test_a_customers_whole_network_is_one_address(redis_server: RedisServer) -> None:
    """A caller with all addresses of an IPv6 network has the attempts of one."""
    hosts = ((f"user-{n}", request(f"2001:db8:1:2::{n:x}", "")) for n in range(ATTEMPTS))
    assert await attempts(redis_server, hosts) == (10, 1 + 10)


async def test_many_addresses_share_the_attempts_at_one_user(redis_server: RedisServer) -> None:
    """Real callers from everywhere that try one user get its attempts together, and refused ones leave no keys."""
    spread = (("admin", request(f"198.51.{n // 250}.{n % 250}", "")) for n in range(ATTEMPTS))
    assert await attempts(redis_server, spread) == (10, 1 + 10)
