"""What a server does that crashes, recovers, or does not know us: on a server that no other test uses."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.store.errors import StoreError
from signal_pipeline.store.pool import Pool
from tests.integration.conftest import PostgresServer, run_program, running_server
from tests.support.waiting import wait_for

_SECONDS = 60


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A server that may be broken."""
    with running_server() as lent:
        yield lent


@pytest.fixture
async def server_pool(server: PostgresServer) -> AsyncIterator[Pool]:
    """A pool on it."""
    opened = Pool(server.url("postgres"), application_name="test", size=2)
    yield opened
    await opened.close()


def refusal(server: PostgresServer) -> str:
    """Return why the server refuses a connection; nothing when it lets us in."""
    try:
        psycopg.connect(server.url("postgres")).close()
    except psycopg.OperationalError as exc:
        return str(exc)
    return ""


async def test_a_crash_of_the_server_is_a_dependency_until_it_has_recovered(
    server: PostgresServer, server_pool: Pool
) -> None:
    """When one backend is killed the server ends all (57P02): a statement under way fails as a dependency."""

    async def crash() -> None:
        async with server_pool.connection() as connection, server_pool.connection() as victim:
            os.kill(victim.info.backend_pid, signal.SIGKILL)
            await connection.execute("SELECT pg_sleep(60)")

    with pytest.raises(StoreError) as caught:
        await crash()
    assert caught.value.failure.failure_class is FailureClass.DEPENDENCY
    await asyncio.to_thread(wait_for, lambda: not refusal(server), seconds=_SECONDS, what="the recovery")
    await server_pool.ping()


async def test_a_server_in_recovery_is_a_dependency(server: PostgresServer, server_pool: Pool) -> None:
    """A server that takes no connections yet (57P03): nothing is said about any event."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        (data,) = connection.execute("SHOW data_directory").fetchone() or ("",)
        # A standby without hot_standby is in recovery for ever.
        connection.execute("ALTER SYSTEM SET hot_standby = off")
    await asyncio.to_thread(Path(data, "standby.signal").touch)
    run_program("pg_ctl", "restart", "-W", "-m", "fast", "-D", data)
    await asyncio.to_thread(
        wait_for, lambda: "not accepting connections" in refusal(server), seconds=_SECONDS, what="the recovery"
    )
    with pytest.raises(StoreError) as caught:
        await server_pool.ping()
    assert caught.value.failure.failure_class is FailureClass.DEPENDENCY


async def test_a_wrong_password_is_a_dependency(server: PostgresServer, server_pool: Pool) -> None:
    """A password that the server does not take (28P01) is the operator's mistake, and no event pays for it."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER ROLE postgres PASSWORD {}").format(sql.Literal("another")))
        (rules,) = connection.execute("SHOW hba_file").fetchone() or ("",)
        await asyncio.to_thread(Path(rules).write_text, "host all all 127.0.0.1/32 scram-sha-256\n")
        connection.execute("SELECT pg_reload_conf()")
    await asyncio.to_thread(
        wait_for, lambda: "password authentication failed" in refusal(server), seconds=_SECONDS, what="the new rule"
    )
    with pytest.raises(StoreError) as caught:
        await server_pool.ping()
    assert caught.value.failure.failure_class is FailureClass.DEPENDENCY
