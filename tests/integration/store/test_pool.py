"""The pool and the translation of errors, against a real PostgreSQL."""

import asyncio
import time
from contextlib import AsyncExitStack
from typing import Any

import pytest

from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.store.errors import StoreError
from signal_pipeline.store.pool import Pool


async def test_the_session_is_bounded(pool: Pool) -> None:
    """Every connection has a name, is in autocommit, and its statements and idle transactions end by themselves."""
    async with pool.connection() as connection:
        assert connection.autocommit
        cursor = await connection.execute(
            "SELECT current_setting('application_name'), current_setting('statement_timeout'),"
            " current_setting('idle_in_transaction_session_timeout')"
        )
        assert await cursor.fetchone() == ("test", "15s", "30s")


async def test_terminated_connections_cost_the_next_caller_nothing(pool: Pool, fetch: Any) -> None:
    """After the server ended every connection of a full pool, the next call succeeds without a long wait."""
    async with AsyncExitStack() as stack:
        for _ in range(8):
            await stack.enter_async_context(pool.connection())
    fetch("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'test'")
    started = time.monotonic()
    await pool.ping()
    assert time.monotonic() - started < 3  # finding them out one by one would take 1 + 2 + 4 … seconds


async def test_a_connection_lost_in_use_is_a_dependency(pool: Pool) -> None:
    """A backend that is terminated under a statement is a dependency that is down, with a Retry-After."""
    with pytest.raises(StoreError) as caught:
        async with pool.connection() as connection:
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert caught.value.failure.failure_class is FailureClass.DEPENDENCY
    assert caught.value.retry_after_seconds == 2
    await pool.ping()


async def test_a_server_that_is_down_is_a_dependency() -> None:
    """Nobody listening: a dependency, within the bound of a checkout; and the pool can be closed."""
    pool = Pool("postgresql://postgres@127.0.0.1:1/none", application_name="test")
    started = time.monotonic()
    with pytest.raises(StoreError) as caught:
        await pool.ping()
    assert caught.value.failure.failure_class is FailureClass.DEPENDENCY
    assert caught.value.failure.code == "database_timeout"
    assert time.monotonic() - started < 8
    await pool.close()


async def test_callers_that_gave_up_do_not_wait() -> None:
    """Without a server the pool shows those who wait now, none when they gave up, and nothing as lent."""
    pool = Pool("postgresql://postgres@127.0.0.1:1/none", application_name="test")
    calls = [asyncio.create_task(pool.ping()) for _ in range(3)]
    await asyncio.sleep(0)  # each begins
    assert pool.usage()[1:] == (0, 3)
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(result) for result in results] == [StoreError] * 3
    assert pool.usage()[1:] == (0, 0)
    await pool.close()


async def test_lent_connections_are_shown(pool: Pool) -> None:
    """What callers hold is in use, whoever finds none left waits, and in the end all is free again."""
    async with AsyncExitStack() as stack:
        for _ in range(8):
            await stack.enter_async_context(pool.connection())
        assert pool.usage() == (8, 8, 0)
        late = asyncio.create_task(pool.ping())
        await asyncio.sleep(0)  # it begins
        assert pool.usage() == (8, 8, 1)
    await late
    assert pool.usage() == (8, 0, 0)


@pytest.mark.parametrize(
    ("statement", "failure_class", "code"),
    [
        ("SELECT 1 / 0", FailureClass.REJECTED, "22012"),
        ("INSERT INTO signals (id, source) VALUES (gen_random_uuid(), 's')", FailureClass.REJECTED, "23502"),
        ("SELECT * FROM nothing_of_that_name", FailureClass.UNEXPECTED, "42P01"),
        ("DO $$ BEGIN RAISE serialization_failure; END $$", FailureClass.CONTENTION, "40001"),
        ("DO $$ BEGIN RAISE too_many_connections; END $$", FailureClass.DEPENDENCY, "53300"),
        ("DO $$ BEGIN RAISE read_only_sql_transaction; END $$", FailureClass.DEPENDENCY, "25006"),
    ],
)
async def test_a_fault_has_the_class_of_its_sqlstate(
    pool: Pool, statement: str, failure_class: FailureClass, code: str
) -> None:
    """The verdict on a refused statement follows from its SQLSTATE and tells nothing of the statement."""
    with pytest.raises(StoreError) as caught:
        async with pool.connection() as connection:
            await connection.execute(statement.encode())
    failure = caught.value.failure
    assert (failure.failure_class, failure.code) == (failure_class, code)
    assert statement not in failure.detail
    assert "nothing_of_that_name" not in failure.detail


async def test_a_closed_pool_opens_again(pool: Pool) -> None:
    """Closing ends the connections; the next use opens new ones."""
    await pool.ping()
    await pool.close()
    await pool.ping()
