"""Every SQLSTATE that a real PostgreSQL can be brought to answer has the class that the delivery contract gives it."""

import asyncio
import struct
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from typing import Any

import psycopg
import pytest

from signal_pipeline.domain.failures import Failure, FailureClass
from signal_pipeline.store.errors import StoreError
from signal_pipeline.store.pool import Pool
from tests.integration.store.conftest import Fetch
from tests.integration.store.sqlstates import PROVOKED, Provoked
from tests.support.waiting import wait_for

_PREPARED_AFTER = 5  # psycopg prepares a statement that was run this often
_COPY_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)  # signature, no flags, no extension
_COPY_LONG_INT = _COPY_HEAD + struct.pack("!hi", 1, 8) + bytes(8)  # one row of one field, with 8 bytes


def rows() -> list[Any]:
    """Return the rows of the table as parameters."""
    return [
        pytest.param(name, row, id=f"{name}-{row.sqlstate}-{number}")
        for name, provoked in PROVOKED.items()
        for number, row in enumerate(provoked)
    ]


@contextmanager
def failing(sqlstate: str, name: str) -> Iterator[None]:
    """Expect a block to fail with this SQLSTATE, translated into the class of this name."""
    with pytest.raises(StoreError) as caught:
        yield
    assert (caught.value.failure.code, caught.value.failure.failure_class.value) == (sqlstate, name)
    assert caught.value.__cause__ is None or str(caught.value.__cause__) not in caught.value.failure.detail


async def run_all(pool: Pool, statements: Sequence[str]) -> None:
    """Run statements on one connection of the product's pool."""
    async with pool.connection() as connection:
        for statement in statements:
            await connection.execute(statement.encode())


@pytest.mark.parametrize(("name", "provoked"), rows())
async def test_a_provoked_sqlstate_has_its_class(pool: Pool, name: str, provoked: Provoked) -> None:
    """What the server answers is the SQLSTATE of the row, and its class is that of the contract."""
    with failing(provoked.sqlstate, name):
        await run_all(pool, provoked.statements)


async def test_two_serializable_transactions_are_contention(pool: Pool, fetch: Fetch) -> None:
    """Of two transactions that each write what the other has read, the second is told 40001."""
    fetch("CREATE TABLE IF NOT EXISTS counters AS SELECT 1 AS a, 2 AS b")
    serializable = b"BEGIN ISOLATION LEVEL SERIALIZABLE"
    with failing("40001", "contention"):
        async with pool.connection() as one, pool.connection() as other:
            for connection in (one, other):
                await connection.execute(serializable)
                await connection.execute("SELECT a, b FROM counters")
            await one.execute("UPDATE counters SET a = b")
            await one.execute("COMMIT")
            await other.execute("UPDATE counters SET b = a")


async def test_a_deadlock_is_contention(pool: Pool, fetch: Fetch) -> None:
    """Of two transactions that wait for each other the server ends one with 40P01, and the other goes on."""
    fetch("CREATE TABLE IF NOT EXISTS pairs AS SELECT n FROM generate_series(1, 2) AS n")
    both_locked = asyncio.Barrier(2)

    async def lock(first: int, second: int) -> Failure | None:
        try:
            async with pool.connection() as connection, connection.transaction():
                await connection.execute("SET LOCAL deadlock_timeout = 20")
                await connection.execute("SELECT n FROM pairs WHERE n = %s FOR UPDATE", (first,))
                await both_locked.wait()
                await connection.execute("SELECT n FROM pairs WHERE n = %s FOR UPDATE", (second,))
        except StoreError as exc:
            return exc.failure
        return None

    found = [each for each in await asyncio.gather(lock(1, 2), lock(2, 1)) if each is not None]
    assert [(each.code, each.failure_class) for each in found] == [("40P01", FailureClass.CONTENTION)]


@pytest.mark.parametrize(
    "statements",
    [
        ("SELECT n FROM held FOR UPDATE NOWAIT",),
        ("SET lock_timeout = 20", "SELECT n FROM held FOR UPDATE"),
    ],
    ids=["nowait", "lock_timeout"],
)
async def test_a_lock_that_another_holds_is_contention(
    pool: Pool, fetch: Fetch, database_url: str, statements: tuple[str, ...]
) -> None:
    """A row that another transaction has locked is 55P03, at once or after the time that was allowed."""
    fetch("CREATE TABLE IF NOT EXISTS held AS SELECT 1 AS n")
    with psycopg.connect(database_url) as other:
        other.execute("SELECT n FROM held FOR UPDATE")
        with failing("55P03", "contention"):
            await run_all(pool, statements)


async def test_going_on_in_a_failed_transaction_is_unexpected(pool: Pool) -> None:
    """25P02 is a fault of the product: somebody swallowed the error that came before."""
    with failing("25P02", "unexpected"):
        async with pool.connection() as connection:
            await connection.execute("BEGIN")
            with pytest.raises(psycopg.errors.DivisionByZero):
                await connection.execute("SELECT 1 / 0")
            await connection.execute("SELECT 1")


async def test_a_transaction_that_idled_too_long_is_a_dependency(pool: Pool, fetch: Fetch) -> None:
    """A process that was stopped in a transaction finds it ended with 25P03: it tries again, the event pays nothing."""
    with failing("25P03", "dependency"):
        async with pool.connection() as connection:
            pid = connection.info.backend_pid
            await connection.execute("SET idle_in_transaction_session_timeout = 20")
            await connection.execute("BEGIN")
            gone = "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = %s"
            await asyncio.to_thread(wait_for, lambda: fetch(gone, pid)[0][0], seconds=20, what="the end of the session")
            await connection.execute("SELECT 1")


@pytest.mark.parametrize(
    ("sqlstate", "data"), [("22P03", _COPY_LONG_INT), ("22P04", b"no such signature")], ids=["value", "file"]
)
async def test_malformed_binary_data_is_rejected(pool: Pool, sqlstate: str, data: bytes) -> None:
    """Bytes that are no value of their type can never be stored."""
    with failing(sqlstate, "rejected"):
        async with pool.connection() as connection, connection.cursor() as cursor:
            await cursor.execute("CREATE TEMP TABLE u (a int)")
            async with cursor.copy("COPY u FROM STDIN (FORMAT binary)") as copy:
                await copy.write(data)


@pytest.mark.parametrize("text", ["nul \0", "half a pair \ud800"], ids=["nul", "surrogate"])
async def test_text_that_never_reaches_the_server_is_rejected(pool: Pool, text: str) -> None:
    """What the client cannot encode is refused as the server would: 22021."""
    with failing("22021", "rejected"):
        async with pool.connection() as connection:
            await connection.execute("SELECT %s::text", (text,))


async def test_a_refused_connection_is_a_dependency(database_url: str, fetch: Fetch) -> None:
    """No such role (28000), no such database (3D000), a role's limit (53300): nothing is said about any event."""
    fetch("DO $$ BEGIN CREATE ROLE full_role LOGIN CONNECTION LIMIT 0; EXCEPTION WHEN duplicate_object THEN END $$")
    address = database_url.partition("postgres:postgres@")[2]
    server = address.partition("/")[0]
    urls = [
        f"postgresql://nobody_of_that_name@{address}",
        f"postgresql://postgres@{server}/nothing_of_that_name",
        f"postgresql://full_role@{address}",
    ]
    async with AsyncExitStack() as stack:
        pools = [Pool(url, application_name="test", size=1) for url in urls]
        for each in pools:
            stack.push_async_callback(each.close)
        found = await asyncio.gather(*(each.ping() for each in pools), return_exceptions=True)
    assert [error.failure.failure_class for error in found if isinstance(error, StoreError)] == [
        FailureClass.DEPENDENCY
    ] * len(urls)


async def test_a_schema_change_under_prepared_statements_costs_one_try(database_url: str, fetch: Fetch) -> None:
    """A statement prepared before its result changed fails once as a dependency; the next try has a new connection."""
    pool = Pool(database_url, application_name="test", size=2)  # no third connection that has prepared nothing
    fetch("DROP TABLE IF EXISTS changing")
    fetch("CREATE TABLE changing AS SELECT 1 AS a")
    statement = "SELECT * FROM changing WHERE a = %s"
    async with pool.connection() as one, pool.connection() as other:
        for connection in (one, other):
            for _ in range(_PREPARED_AFTER + 1):
                await connection.execute(statement, (1,))
    fetch("ALTER TABLE changing ADD b text")
    with failing("0A000", "dependency"):
        async with pool.connection() as connection:
            await connection.execute(statement, (1,))
    async with pool.connection() as one, pool.connection() as other:
        for connection in (one, other):
            assert await (await connection.execute(statement, (1,))).fetchall() == [(1, None)]
    await pool.close()
