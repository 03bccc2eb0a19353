"""A replication slot whose log was deleted is as good as none, and can be put out of the way."""

from collections.abc import Iterator

import psycopg
import pytest
from pydantic import SecretStr

from signal_pipeline.commands.outbox_reconnect import reconnect
from signal_pipeline.errors import Conflict
from signal_pipeline.settings import Settings
from signal_pipeline.store.outbox import drop_lost_slot, outbox_state
from signal_pipeline.store.pool import Pool
from tests.support.waiting import wait_for

_MAKE = "SELECT pg_create_logical_replication_slot('outbox_slot', 'pgoutput')"
_FIND = "SELECT wal_status FROM pg_replication_slots WHERE slot_name = 'outbox_slot'"


@pytest.fixture
def server(database_url: str) -> Iterator[psycopg.Connection]:
    """A connection to a database with a slot that nobody reads; slot and limits are put back afterwards."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(_MAKE)
        yield connection
        connection.execute("ALTER SYSTEM RESET max_slot_wal_keep_size")
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")


def lose(server: psycopg.Connection) -> None:
    """Let the server delete the log that the slot needs, as it does when the slot's limit is reached."""
    server.execute("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'")
    server.execute("SELECT pg_reload_conf()")

    def lost() -> bool:
        server.execute("SELECT pg_logical_emit_message(false, 'test', repeat('x', 1000)), pg_switch_wal()")
        server.execute("CHECKPOINT")
        return server.execute(_FIND).fetchone() == ("lost",)

    wait_for(lost, seconds=30, what="a lost slot")


async def test_a_lost_slot_is_as_good_as_none(server: psycopg.Connection, pool: Pool) -> None:
    """PostgreSQL keeps the name of a slot whose log it deleted; it counts as missing, and is dropped to make way."""
    assert (await outbox_state(pool)).slot_active is False
    lose(server)
    state = await outbox_state(pool)
    assert (state.slot_active, state.retained_bytes) == (None, None)
    await drop_lost_slot(pool)
    assert server.execute(_FIND).fetchone() is None


async def test_a_slot_that_can_be_read_stays(server: psycopg.Connection, pool: Pool) -> None:
    """Only what is lost is dropped."""
    await drop_lost_slot(pool)
    assert server.execute(_FIND).fetchone() == ("reserved",)


@pytest.mark.usefixtures("server")
def test_nothing_begins_anew_while_the_slot_is_there(database_url: str) -> None:
    """With its slot the connector can go on where it was: beginning anew would send every unconfirmed row again."""
    settings = Settings(_env_file=None, connect_url="http://127.0.0.1:1", database_url=SecretStr(database_url))
    with pytest.raises(Conflict, match="--force"):
        reconnect(settings, force=False)
