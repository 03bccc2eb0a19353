"""Each part's login: it can do the work of its role, is bounded, and can do nothing else."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from signal_pipeline.errors import ConfigurationError
from signal_pipeline.store.logins import LOGINS, DatabaseLogin, apply_logins

PASSWORDS = {login.name: f"password-of-{login.name}" for login in LOGINS}
# By login: what it must be able to do, and what it must not.
WORK = {
    "emit": "SELECT id, scopes FROM api_keys WHERE key_hash IS NULL",
    "access": "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM access_events)",
    "process_signal": "SELECT count(id) FROM signals",
    "detect_anomaly": "SELECT count(*) FROM anomalies",
    "confirm_outbox": "SELECT count(id) FROM outbox_events WHERE processed_at IS NULL",
    "replay_dlq": "SELECT count(*) FROM dead_letters",
    "auth": "SELECT count(*) FROM users",
    "maintainer": "SELECT clean_gin_pending()",
    "operator": "SELECT count(*) FROM signals",
    "debezium": "SELECT count(*) FROM outbox_events",
}
FORBIDDEN = {
    "emit": ["SELECT * FROM users", "SELECT * FROM signals", "INSERT INTO api_keys (name) VALUES ('x')"],
    "access": ["SELECT * FROM signals", "DELETE FROM users"],
    "process_signal": ["DELETE FROM signals", "SELECT * FROM users", "SELECT * FROM anomalies"],
    "detect_anomaly": ["DELETE FROM signals", "UPDATE anomalies SET severity = 2", "SELECT * FROM dead_letters"],
    "confirm_outbox": ["SELECT * FROM signals", "DELETE FROM outbox_events"],
    "replay_dlq": ["DELETE FROM dead_letters", "SELECT payload FROM signals", "SELECT * FROM users"],
    "auth": ["SELECT * FROM signals", "DELETE FROM users"],
    "maintainer": ["SELECT * FROM signals", "DELETE FROM signals"],
    "operator": ["SELECT * FROM users", "DELETE FROM signals", "INSERT INTO users (username) VALUES ('x')"],
    "debezium": ["SELECT * FROM signals", "SELECT * FROM users", "DELETE FROM outbox_events"],
}
# What no part may do, whatever it is.
FORBIDDEN_TO_ALL = [
    "CREATE TABLE mine (id int)",
    "DROP TABLE signals",
    "ALTER TABLE signals DISABLE TRIGGER ALL",
    "CREATE ROLE intruder",
    "ALTER ROLE postgres PASSWORD 'x'",
    "GRANT pipeline_auth TO CURRENT_USER",
    "SET ROLE postgres",
    "COPY signals TO PROGRAM 'true'",
    "UPDATE schema_migrations SET sha256 = ''",
]
MADE = [login for login in LOGINS if login.name in WORK]


@pytest.fixture(scope="module")
def logins(database_url: str) -> Iterator[str]:
    """The database with all logins; the second run of what makes them finds them there."""
    apply_logins(database_url, PASSWORDS)
    apply_logins(database_url, PASSWORDS)
    yield database_url
    with psycopg.connect(database_url, autocommit=True) as connection:
        for name in PASSWORDS:
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))


def connected_as(url: str, name: str) -> psycopg.Connection:
    """Return a connection of a login."""
    return psycopg.connect(url, user=name, password=PASSWORDS[name], autocommit=True)


def verifier(url: str, name: str) -> str:
    """Return what the server verifies a login's password by."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", [name]).fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.parametrize("name", WORK)
def test_a_login_can_do_its_work(logins: str, name: str) -> None:
    """The rights of its group are its own, without a SET ROLE."""
    with connected_as(logins, name) as connection:
        connection.execute(WORK[name].encode())


@pytest.mark.parametrize("name", WORK)
def test_a_login_can_do_nothing_else(logins: str, name: str) -> None:
    """No schema change, no deletion, no credentials, no other table, no role, no program on the server."""
    with connected_as(logins, name) as connection:
        for statement in (*FORBIDDEN[name], *FORBIDDEN_TO_ALL):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())


@pytest.mark.parametrize("login", MADE, ids=lambda login: login.name)
def test_a_login_is_bounded_as_the_table_says(logins: str, login: DatabaseLogin) -> None:
    """Connections, statements and open transactions end by the server's own limits, whatever the client asks for."""
    with psycopg.connect(logins) as connection:
        row = connection.execute(
            "SELECT rolconnlimit, rolreplication, rolsuper, rolcreaterole, rolcreatedb, rolconfig, "
            "ARRAY(SELECT roleid::regrole::text FROM pg_auth_members WHERE member = r.oid) "
            "FROM pg_roles AS r WHERE rolname = %s",
            [login.name],
        ).fetchone()
    assert row is not None
    assert row[:5] == (login.connections, login.replication, False, False, False)
    idle = f"idle_in_transaction_session_timeout={login.idle_seconds}s"
    assert sorted(row[5]) == sorted([f"statement_timeout={login.statement_seconds}s", idle])
    assert row[6] == [login.group]


def test_only_debezium_may_read_the_log(logins: str) -> None:
    """The write-ahead log holds every table's rows."""
    assert {login.name for login in LOGINS if login.replication} == {"debezium"}
    slot = b"SELECT * FROM pg_logical_slot_peek_changes('no_such_slot', NULL, 1)"
    with connected_as(logins, "operator") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(slot)
    with connected_as(logins, "debezium") as connection, pytest.raises(psycopg.errors.UndefinedObject):
        connection.execute(slot)


def test_a_new_password_replaces_the_old_one(logins: str) -> None:
    """Changing the file and running migrate rotates it; the server never sees the password, only what verifies it."""
    before = verifier(logins, "operator")
    apply_logins(logins, {"operator": "another"})
    after = verifier(logins, "operator")
    assert before != after
    assert after.startswith("SCRAM-SHA-256$")


def test_a_group_granted_by_hand_is_taken_away(logins: str) -> None:
    """A login is a member of the one group that the table says."""
    with psycopg.connect(logins, autocommit=True) as connection:
        connection.execute("GRANT pipeline_auth TO operator")
    apply_logins(logins, {"operator": PASSWORDS["operator"]})
    with connected_as(logins, "operator") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("SELECT * FROM users")


def test_a_login_that_the_table_does_not_have_is_refused(logins: str) -> None:
    """A misspelt name in the file must not leave the right one without its password."""
    with pytest.raises(ConfigurationError, match="procces_signal"):
        apply_logins(logins, {"procces_signal": "x"})


def test_a_login_without_its_group_is_left_out_and_told(logins: str) -> None:
    """A login that nobody has given rights to would only be one more password to guess."""
    with psycopg.connect(logins) as connection:
        groups = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles")}
    changes = apply_logins(logins, PASSWORDS)
    assert set(changes.left_out) == {login.name for login in LOGINS if login.group not in groups}
    assert set(changes.applied) == PASSWORDS.keys() - set(changes.left_out)
