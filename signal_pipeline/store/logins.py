"""Who logs in to the database, as one table: each part by itself, a member of exactly one group role.

The group roles of `sql/roles` say what may be done; a login adds a password and bounds. It inherits all from its
group, owns nothing, and can neither create roles nor databases.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import psycopg
from psycopg import sql

from signal_pipeline.errors import ConfigurationError, DependencyUnavailable

__all__ = ["DEBEZIUM", "LOGINS", "OPERATOR", "DatabaseLogin", "LoginChanges", "apply_logins"]

DEBEZIUM: Final = "debezium"
OPERATOR: Final = "operator"
_CONNECT_SECONDS: Final = 10


@dataclass(frozen=True, kw_only=True)
class DatabaseLogin:
    """One login.

    Attributes:
        name: Its name in the database.
        part: The part of the pipeline that is it, as the supervisor names it.
        group: The group role whose rights it has.
        connections: Most connections at once: some processes of DATABASE_POOL_SIZE, and their replacements.
        statement_seconds: How long one statement may take; a part's own pool sets less.
        idle_seconds: How long a transaction may stand open without a statement.
        replication: Whether it may read the write-ahead log.
    """

    name: str
    part: str
    group: str
    connections: int = 24
    statement_seconds: int = 30
    idle_seconds: int = 30
    replication: bool = False


@dataclass(frozen=True, kw_only=True)
class LoginChanges:
    """What `apply_logins` did.

    Attributes:
        applied: Logins that now are as the table says.
        left_out: Logins whose group role this schema does not have.
    """

    applied: tuple[str, ...]
    left_out: tuple[str, ...]


LOGINS: Final = (
    DatabaseLogin(name="emit", part="emit", group="pipeline_gate"),
    DatabaseLogin(name="process_signal", part="process-signal", group="pipeline_processor"),
    DatabaseLogin(name="detect_anomaly", part="detect-anomaly", group="pipeline_detector"),
    DatabaseLogin(name="confirm_outbox", part="confirm-outbox", group="pipeline_confirmer"),
    DatabaseLogin(name="replay_dlq", part="replay-dlq", group="pipeline_replayer"),
    DatabaseLogin(name="auth", part="auth", group="pipeline_auth"),
    DatabaseLogin(name="access", part="access", group="pipeline_access", connections=4),
    DatabaseLogin(name="maintainer", part="maintain", group="pipeline_maintainer", statement_seconds=600),
    # An audit reads whole tables.
    DatabaseLogin(name=OPERATOR, part="operator", group="pipeline_reader", statement_seconds=300, idle_seconds=300),
    # The first snapshot may take long, and streaming is one statement without end, which no timeout counts.
    DatabaseLogin(
        name=DEBEZIUM,
        part="connect",
        group="pipeline_cdc",
        connections=6,
        statement_seconds=600,
        idle_seconds=600,
        replication=True,
    ),
)


def apply_logins(database_url: str, passwords: Mapping[str, str]) -> LoginChanges:
    """Bring logins into being with these passwords, each as the table says; a second run changes nothing but salts.

    Args:
        database_url: The database as its owner reaches it, after the migrations.
        passwords: By login; one that is not named is left as it is.

    Raises:
        ConfigurationError: a password is of no login of the table, or the owner may not create roles.
        DependencyUnavailable: PostgreSQL does not answer.
    """
    if unknown := passwords.keys() - {login.name for login in LOGINS}:
        raise ConfigurationError(f"DATABASE_LOGINS_FILE names {', '.join(sorted(unknown))}; there is no such login")
    wanted = [login for login in LOGINS if login.name in passwords]
    try:
        with psycopg.connect(database_url, connect_timeout=_CONNECT_SECONDS) as connection:
            groups = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles")}
            present = [login for login in wanted if login.group in groups]
            for login in present:
                _apply(connection, login, passwords[login.name])
    except psycopg.OperationalError as exc:
        raise DependencyUnavailable(f"PostgreSQL does not answer: {exc}") from exc
    except psycopg.Error as exc:
        raise ConfigurationError(f"a login cannot be made: {exc.diag.message_primary}") from exc
    names = tuple(login.name for login in present)
    return LoginChanges(applied=names, left_out=tuple(each.name for each in wanted if each not in present))


def _apply(connection: psycopg.Connection, login: DatabaseLogin, password: str) -> None:
    name = sql.Identifier(login.name)
    if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [login.name]).fetchone():
        connection.execute(sql.SQL("CREATE ROLE {}").format(name))
    # The verifier and not the password travels, and would stand in a log.
    verifier = connection.pgconn.encrypt_password(password.encode(), login.name.encode(), b"scram-sha-256")
    connection.execute(
        sql.SQL(
            "ALTER ROLE {} LOGIN INHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS {} "
            "CONNECTION LIMIT {} PASSWORD {}"
        ).format(
            name,
            sql.SQL("REPLICATION" if login.replication else "NOREPLICATION"),
            sql.Literal(login.connections),
            sql.Literal(verifier.decode()),
        )
    )
    for setting, seconds in (
        ("statement_timeout", login.statement_seconds),
        ("idle_in_transaction_session_timeout", login.idle_seconds),
    ):
        value = sql.Literal(f"{seconds}s")
        connection.execute(sql.SQL("ALTER ROLE {} SET {} = {}").format(name, sql.Identifier(setting), value))
    _join(connection, login)


def _join(connection: psycopg.Connection, login: DatabaseLogin) -> None:
    """Make the login a member of its group and of no other."""
    others = connection.execute(
        "SELECT g.rolname FROM pg_auth_members AS m JOIN pg_roles AS g ON g.oid = m.roleid "
        "JOIN pg_roles AS l ON l.oid = m.member WHERE l.rolname = %s AND g.rolname <> %s",
        [login.name, login.group],
    ).fetchall()
    name = sql.Identifier(login.name)
    for (group,) in others:
        connection.execute(sql.SQL("REVOKE {} FROM {}").format(sql.Identifier(group), name))
    connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(login.group), name))
