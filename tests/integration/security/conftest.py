"""A Redis server for the tests of limits."""

from collections.abc import Iterator

import pytest

from tests.support.redis_server import RedisServer


@pytest.fixture(scope="session")
def session_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server for the session."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def redis_server(session_redis: RedisServer) -> RedisServer:
    """A server that is up and empty, without the script in it."""
    if not session_redis.answers():
        session_redis.stop()
        session_redis.start()
    with session_redis.client() as client:
        client.flushall()
        client.script_flush()
        client.config_resetstat()
    return session_redis
