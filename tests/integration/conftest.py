"""A private PostgreSQL server for the integration tests, and databases with the schema in it."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from signal_pipeline.store.migrator import migrate
from signal_pipeline.store.queries import SQL_DIRECTORY
from tests.integration.kafka_fixture import kafka

__all__ = ["kafka"]  # one broker for all folders below

_CONFIGURATION = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
port = {port}
wal_level = logical
max_replication_slots = 10
max_connections = 100
shared_buffers = 128MB
max_wal_size = 2GB
log_statement = none
"""


class PostgresServer:
    """A running server; its one superuser is `postgres` with the password `postgres`."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._numbers = count(1)

    def url(self, database: str) -> str:
        """Return the address of a database of this server."""
        return f"postgresql://postgres:postgres@127.0.0.1:{self.port}/{database}"

    def admin(self, statement: sql.Composed) -> None:
        """Run a statement that belongs to the server and not to a database."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    @contextmanager
    def database(self, template: str = "template0") -> Iterator[str]:
        """Lend the address of a new database, which is dropped afterwards."""
        name = f"test_{next(self._numbers)}"
        self.admin(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
        try:
            yield self.url(name)
        finally:
            self.drop(name)

    def drop(self, name: str) -> None:
        """Drop a database with its connections and slots."""
        self.admin(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def running_server() -> Iterator[PostgresServer]:
    """Lend a server of its own in a temporary folder, on a free port; not as root, which PostgreSQL refuses."""
    user = _unprivileged_user()
    folder = Path(tempfile.mkdtemp(prefix="signal-pipeline-postgres-"))
    if user:
        shutil.chown(folder, user)
    data, port = folder / "data", _free_port()
    try:
        run_program("initdb", "--no-sync", "--auth=trust", "--username=postgres", "--locale=C.UTF-8", "-D", str(data))
        with (data / "postgresql.conf").open("a") as configuration:
            configuration.write(_CONFIGURATION.format(port=port))
        run_program("pg_ctl", "start", "-w", "-D", str(data), "-l", str(folder / "log"))
        try:
            yield PostgresServer(port)
        finally:
            run_program("pg_ctl", "stop", "-w", "-m", "immediate", "-D", str(data))
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A server for the session."""
    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_template(postgres_server: PostgresServer) -> str:
    """The name of a database with the schema, from which others are copied in a fraction of a second."""
    return make_template(postgres_server)


def make_template(server: PostgresServer) -> str:
    """Make a database with the schema and without a slot, and return its name."""
    name = "migrated_template"
    migrate(server.url(name), SQL_DIRECTORY)
    # Slots belong to the server: this one would retain its log during the whole session.
    server.admin(sql.SQL("SELECT pg_drop_replication_slot({})").format(sql.Literal("outbox_slot")))
    return name


@pytest.fixture(scope="module")
def database_url(postgres_server: PostgresServer, migrated_template: str) -> Iterator[str]:
    """A database with the schema and without rows, for the tests of one module. It has no replication slot."""
    with postgres_server.database(migrated_template) as url:
        yield url


@pytest.fixture
def new_database(postgres_server: PostgresServer) -> Iterator[Callable[[], str]]:
    """Give addresses of databases that do not exist yet; whatever is created there is dropped after the test."""
    names: list[str] = []

    def name_one() -> str:
        names.append(f"new_{os.getpid()}_{len(names)}")
        return postgres_server.url(names[-1])

    yield name_one
    for name in names:
        postgres_server.drop(name)


def _unprivileged_user() -> str | None:
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run_program(program: str, *arguments: str) -> None:
    """Run a program of PostgreSQL as the user whom the servers belong to."""
    # The server inherits the descriptors of pg_ctl, so a pipe would stay open as long as it runs.
    subprocess.run(
        [_binary(program), *arguments], check=True, user=_unprivileged_user(), stdout=subprocess.DEVNULL, cwd="/"
    )


def _binary(program: str) -> str:
    """Find a program of PostgreSQL; Debian keeps the server's out of PATH."""
    found = shutil.which(program)
    if found:
        return found
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in folders:
        if (folder / program).exists():
            return str(folder / program)
    return pytest.fail(f"{program} is not installed: install the package postgresql")
