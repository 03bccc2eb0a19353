"""Faults of PostgreSQL, inflicted by SQL."""

import time

import psycopg
from psycopg import Connection, OperationalError

from tests.support.pipeline import Pipeline
from tests.support.waiting import wait_for

__all__ = ["Crowded", "LongTransaction", "ReadOnly", "TableLocked", "WalSenderEnded"]

_FUNCTIONS = ("process-signal", "detect-anomaly", "confirm-outbox", "replay-dlq")
_CROWDING_SECONDS = 120  # some 190 connections, one after the other, on a busy machine
_WRITABLE = "-c default_transaction_read_only=off"


class ReadOnly:
    """A server that refuses to write, as a standby does after a failover; its own healer may write."""

    def inflict(self, pipeline: Pipeline) -> None:
        """Make transactions read-only by default, also those of open sessions."""
        self._run(pipeline, "ALTER SYSTEM SET default_transaction_read_only = on")

    def heal(self, pipeline: Pipeline) -> None:
        """Take it back."""
        self._run(pipeline, "ALTER SYSTEM RESET default_transaction_read_only")

    def proves(self, _: Pipeline) -> str:
        """What it does shows in the counters alone."""
        return "read-only"

    def _run(self, pipeline: Pipeline, statement: str) -> None:
        with psycopg.connect(pipeline.database_url, autocommit=True, options=_WRITABLE) as connection:
            connection.execute(statement)
            connection.execute("SELECT pg_reload_conf()")


class Crowded:
    """A server whose last connection is taken, while the functions lose theirs."""

    def inflict(self, pipeline: Pipeline) -> None:
        """Take every connection that is free, end those of the functions, and take these too."""
        self._held: list[Connection[tuple[object, ...]]] = [psycopg.connect(pipeline.database_url, autocommit=True)]
        deadline = time.monotonic() + _CROWDING_SECONDS
        while True:
            self._take_all(pipeline)
            if self._ended() == 0:
                return
            assert time.monotonic() < deadline, "the functions keep getting connections"

    def heal(self, _: Pipeline) -> None:
        """Give the connections back."""
        for connection in self._held:
            connection.close()

    def proves(self, _: Pipeline) -> str:
        """There was no room left."""
        return f"{len(self._held)} connections held"

    def _take_all(self, pipeline: Pipeline) -> None:
        while True:
            try:
                self._held.append(psycopg.connect(pipeline.database_url, autocommit=True))
            except OperationalError as exc:
                if "too many clients" not in str(exc):
                    raise
                return

    def _ended(self) -> int:
        statement = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = ANY(%s)"
        row = self._held[0].execute(statement, [list(_FUNCTIONS)]).fetchone()
        assert row is not None
        return int(str(row[0]))


class TableLocked:
    """A session that lets nobody write to a table."""

    def __init__(self, table: str) -> None:
        self._table = table

    def inflict(self, pipeline: Pipeline) -> None:
        """Take the lock, and keep it."""
        self._connection = psycopg.connect(pipeline.database_url)
        self._connection.execute(f"LOCK TABLE {self._table} IN EXCLUSIVE MODE")  # type: ignore[arg-type]  # our names

    def heal(self, _: Pipeline) -> None:
        """Give the lock up."""
        self._connection.rollback()
        self._connection.close()

    def proves(self, _: Pipeline) -> str:
        """What it does shows in the counters alone."""
        return f"{self._table} locked"


class LongTransaction:
    """A transaction that has written to the outbox's log stays open while the connector is killed and comes back."""

    def inflict(self, pipeline: Pipeline) -> None:
        """Begin it, write what the connector reads, and restart the connector."""
        self._connection = psycopg.connect(pipeline.database_url)
        self._connection.execute("INSERT INTO debezium_heartbeat DEFAULT VALUES")
        before = pipeline.pids()["connect"]
        pipeline.local("restart", "connect")
        assert pipeline.pids()["connect"] != before, "the connector was not restarted"

    def heal(self, _: Pipeline) -> None:
        """End it."""
        row = self._connection.execute("SELECT extract(epoch FROM clock_timestamp() - now())").fetchone()
        assert row is not None
        self._seconds = float(row[0])
        self._connection.commit()
        self._connection.close()

    def proves(self, _: Pipeline) -> str:
        """It was open for as long as the restart took."""
        assert self._seconds > 1, "the transaction was over before the connector came back"
        return f"a transaction open for {self._seconds:.0f} s over a restart of Connect"


class WalSenderEnded:
    """The replication connection of the connector is ended again and again."""

    def __init__(self, times: int) -> None:
        self._times = times
        self._ended: set[int] = set()

    def inflict(self, pipeline: Pipeline) -> None:
        """End it each time that it is there again."""
        with psycopg.connect(pipeline.database_url, autocommit=True) as connection:
            for _ in range(self._times):
                pid = wait_for(lambda: self._sender(connection), seconds=60, what="a new replication connection")
                connection.execute("SELECT pg_terminate_backend(%s)", [pid])
                self._ended.add(pid)

    def heal(self, pipeline: Pipeline) -> None:
        """Wait until the connector reads again."""
        with psycopg.connect(pipeline.database_url, autocommit=True) as connection:
            wait_for(lambda: self._sender(connection), seconds=60, what="a replication connection")

    def proves(self, _: Pipeline) -> str:
        """Each time it was another one."""
        assert len(self._ended) == self._times
        return f"{self._times} replication connections ended"

    def _sender(self, connection: Connection[tuple[object, ...]]) -> int | None:
        statement = "SELECT active_pid FROM pg_replication_slots WHERE slot_name = 'outbox_slot'"
        row = connection.execute(statement).fetchone()
        pid = None if row is None or row[0] is None else int(str(row[0]))
        return None if pid in self._ended else pid
