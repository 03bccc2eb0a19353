"""The connections of one process to PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from psycopg import AsyncConnection, Error
from psycopg_pool import AsyncConnectionPool

from signal_pipeline.store.errors import lost_its_statements, translated_errors

__all__ = ["Pool"]

_CONNECT_SECONDS = 3  # a server that is up accepts within milliseconds
_CHECKOUT_SECONDS = 5  # longer than a connect, so that one failed attempt does not fail the caller
_STATEMENT_SECONDS = 15  # a batch of 1,000 rows takes about 0.02 s; this is for a server in trouble
_CALL_SECONDS = 30  # over all: ends a wait that the server cannot end, such as a link that swallows packets
_RECONNECT_SECONDS = 1  # give up early: the next call tries again at once, while the pool's own backoff would sleep

_OPTIONS = {
    "connect_timeout": _CONNECT_SECONDS,
    # A server gone without a word is noticed after 5 + 3 · 2 = 11 s of silence.
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "options": f"-c statement_timeout={_STATEMENT_SECONDS}s -c idle_in_transaction_session_timeout=30s",
}


class Pool:
    """A pool that opens on first use, in the process that uses it: a function forks its worker after import.

    Connections are in autocommit: one statement is one transaction and one round trip; several are wrapped in
    `connection.transaction()`.

    Args:
        database_url: Where PostgreSQL is.
        application_name: Shown in pg_stat_activity: the role.
        size: Most connections of this process.
    """

    def __init__(self, database_url: str, *, application_name: str, size: int = 4) -> None:
        self._settings: dict[str, Any] = {
            "conninfo": database_url,
            "kwargs": _OPTIONS | {"application_name": application_name, "autocommit": True},
            "min_size": 1,
            "max_size": size,
            "timeout": _CHECKOUT_SECONDS,
            "reconnect_timeout": _RECONNECT_SECONDS,
            "name": application_name,
        }
        self._pool: AsyncConnectionPool[AsyncConnection[tuple[Any, ...]]] | None = None
        # Counted here: the library's figures hold callers that gave up long ago, and connections that it tries to open.
        self._waiting = 0
        self._lent = 0

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection[tuple[Any, ...]]]:
        """Lend a connection that was found working.

        Raises:
            StoreError: PostgreSQL cannot be reached, or the statement inside the block failed.
        """
        with translated_errors():
            async with asyncio.timeout(_CALL_SECONDS), AsyncExitStack() as stack:
                connection = await self._checkout(stack)
                self._lent += 1
                try:
                    yield connection
                except Error as exc:
                    if lost_its_statements(exc):
                        await self._renew()
                    raise
                finally:
                    self._lent -= 1

    async def ping(self) -> None:
        """Ask the server for an answer; `StoreError` when there is none."""
        async with self.connection() as connection:
            await connection.execute("SELECT 1")

    def usage(self) -> tuple[int, int, int]:
        """Return how many connections there are, how many of them are lent, and how many callers wait for one."""
        connections = self._pool.get_stats().get("pool_size", 0) if self._pool is not None else 0
        return connections, self._lent, self._waiting

    async def close(self) -> None:
        """Close all connections; the pool opens again when it is used again."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    async def _checkout(self, stack: AsyncExitStack) -> AsyncConnection[tuple[Any, ...]]:
        """Wait for a connection, which goes back when the stack ends."""
        self._waiting += 1
        try:
            return await stack.enter_async_context((await self._opened()).connection())
        finally:
            self._waiting -= 1

    async def _opened(self) -> AsyncConnectionPool[AsyncConnection[tuple[Any, ...]]]:
        if self._pool is None:
            self._pool = AsyncConnectionPool(check=self._check, open=False, **self._settings)
            await self._pool.open(wait=False)
        return self._pool

    async def _check(self, connection: AsyncConnection[tuple[Any, ...]]) -> None:
        try:
            await AsyncConnectionPool.check_connection(connection)
        except Error:
            # One dead connection means a server that restarted: the others are dead too, and finding that out one
            # by one would cost the caller a growing pause for each.
            await self._renew()
            raise

    async def _renew(self) -> None:
        """Take new connections in place of all; those in use are replaced when they come back."""
        if self._pool is not None:
            await self._pool.drain()
