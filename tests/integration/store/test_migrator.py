"""Applying the schema to a real PostgreSQL."""

import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from signal_pipeline.errors import DependencyUnavailable
from signal_pipeline.store.migrator import MigrationRefused, migrate, read_scripts
from signal_pipeline.store.queries import SQL_DIRECTORY

SLOTLESS = "0008_replication_slot.sql"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A copy of the files that a test may change; without the slot, because a server has only one of that name."""
    copy = tmp_path / "sql"
    shutil.copytree(SQL_DIRECTORY, copy)
    (copy / "migrations" / SLOTLESS).unlink()
    return copy


def run(url: str, statement: str) -> list[tuple[Any, ...]]:
    """Run one statement and return its rows."""
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(statement.encode()).fetchall()


def test_a_missing_database_is_created_and_migrated(new_database: Callable[[], str]) -> None:
    """From nothing: the database exists afterwards, with the slot, the publication and every file recorded."""
    url = new_database()
    applied = migrate(url, SQL_DIRECTORY)
    assert applied == [script.name for script in read_scripts(SQL_DIRECTORY)]
    assert run(url, "SELECT count(*) FROM schema_migrations") == [(len(applied),)]
    assert run(url, "SELECT slot_name, active FROM slot_lag_stats") == [("outbox_slot", False)]
    published = run(
        url,
        "SELECT tablename, pubinsert, pubupdate, pubdelete, pubtruncate FROM pg_publication_tables "
        "JOIN pg_publication USING (pubname) WHERE pubname = 'outbox_publication' ORDER BY 1",
    )
    assert published == [(table, True, False, False, False) for table in ("debezium_heartbeat", "outbox_events")]


def test_a_second_run_applies_nothing(new_database: Callable[[], str], directory: Path) -> None:
    """Migrating a migrated database changes nothing."""
    url = new_database()
    assert migrate(url, directory)
    before = run(url, "SELECT name, sha256, applied_at FROM schema_migrations ORDER BY name")
    assert migrate(url, directory) == []
    assert run(url, "SELECT name, sha256, applied_at FROM schema_migrations ORDER BY name") == before


def test_a_changed_migration_is_refused_by_name(new_database: Callable[[], str], directory: Path) -> None:
    """An applied file whose text changed stops the run, and the error names the file."""
    url = new_database()
    migrate(url, directory)
    path = directory / "migrations" / "0002_anomalies.sql"
    path.write_text(path.read_text() + "\n-- changed\n")
    with pytest.raises(MigrationRefused, match=r"0002_anomalies\.sql was changed"):
        migrate(url, directory)


def test_a_missing_migration_is_refused_by_name(new_database: Callable[[], str], directory: Path) -> None:
    """An applied file that is gone stops the run: this checkout is older than the database."""
    url = new_database()
    migrate(url, directory)
    (directory / "migrations" / "0005_access.sql").unlink()
    with pytest.raises(MigrationRefused, match=r"0005_access\.sql was applied .* gone"):
        migrate(url, directory)


def test_a_new_migration_and_a_changed_view_are_applied(new_database: Callable[[], str], directory: Path) -> None:
    """A new migration runs, and with it all repeatable files; a changed view takes effect."""
    url = new_database()
    migrate(url, directory)
    (directory / "migrations" / "0009_more.sql").write_text("CREATE TABLE more (id int);\n")
    view = directory / "views" / "dead_letter_summary.sql"
    view.write_text("DROP VIEW IF EXISTS dead_letter_summary;\nCREATE VIEW dead_letter_summary AS SELECT 1 AS one;\n")
    applied = migrate(url, directory)
    assert applied[0] == "0009_more.sql"
    assert "views/dead_letter_summary.sql" in applied
    assert run(url, "SELECT one FROM dead_letter_summary") == [(1,)]


def test_a_failing_migration_leaves_no_trace(new_database: Callable[[], str], directory: Path) -> None:
    """A file that fails half-way is rolled back and named, the files before it stay, and its repair applies."""
    url = new_database()
    path = directory / "migrations" / "0009_more.sql"
    path.write_text("CREATE TABLE more (id int);\nSELECT 1 / 0;\n")
    with pytest.raises(MigrationRefused, match=r"0009_more\.sql failed: division by zero"):
        migrate(url, directory)
    assert run(url, "SELECT to_regclass('more'), to_regclass('signals')::text") == [(None, "signals")]
    path.write_text("CREATE TABLE more (id int);\n")
    assert migrate(url, directory)[0] == "0009_more.sql"


def test_of_two_starters_one_waits(new_database: Callable[[], str], directory: Path) -> None:
    """Four starters at once, on a database that does not exist yet, apply every file exactly once."""
    url = new_database()
    with ThreadPoolExecutor(4) as threads:
        applied = list(threads.map(lambda _: migrate(url, directory), range(4)))
    assert sorted(map(bool, applied)) == [False, False, False, True]


def test_plain_psql_can_run_the_files(new_database: Callable[[], str], directory: Path) -> None:
    """psql, stopping at the first error, runs all files in order and ends with the same tables and indexes."""
    by_psql, by_migrator = new_database(), new_database()
    migrate(by_migrator, directory)
    name = by_psql.rpartition("/")[2]
    run(by_migrator, "SELECT 1")
    with psycopg.connect(by_migrator, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    for script in read_scripts(directory):
        folder = directory if script.repeatable else directory / "migrations"
        subprocess.run(
            ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(folder / script.name), by_psql], check=True
        )
    objects = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
    assert run(by_psql, objects) == run(by_migrator, objects)


def test_a_server_that_does_not_answer_is_waited_for_and_named(tmp_path: Path) -> None:
    """Without a server the migrator gives up after its bound, as a dependency that is unavailable."""
    shutil.copytree(SQL_DIRECTORY, tmp_path / "sql")
    with pytest.raises(DependencyUnavailable, match="PostgreSQL does not answer"):
        migrate("postgresql://postgres@127.0.0.1:1/nowhere", tmp_path / "sql", wait_seconds=0.3)


def test_a_slot_of_another_database_is_not_taken_over(new_database: Callable[[], str]) -> None:
    """The slot's name is one per server: a second pipeline on the same server is told so."""
    first, second = new_database(), new_database()
    migrate(first, SQL_DIRECTORY)
    with pytest.raises(MigrationRefused, match=r"0008_replication_slot\.sql failed: replication slot .* belongs to"):
        migrate(second, SQL_DIRECTORY)
