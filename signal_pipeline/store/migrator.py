"""Applies the schema: `sql/migrations` in order and once, then `sql/functions`, `sql/views` and `sql/roles`.

    directory ──read──▶ [files] ──connect──▶ lock ──verify──▶ apply what is new ──▶ names applied
                                    │           │       └─ an applied file changed or is gone: refused by name
                                    │           └─ another starter migrates: wait for it
                                    └─ server not up yet: wait; database missing: create it

A migration is never edited after it was applied. The files of the other folders define one object each, may be
edited, and can run any number of times; all of them run again when one of them or a migration is new.
pg8000 is pure Python: no binary wheel can stop a schema upgrade.
"""

import hashlib
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from pg8000.exceptions import DatabaseError, InterfaceError
from pg8000.native import Connection, identifier

from signal_pipeline.errors import ConfigurationError, DependencyUnavailable

__all__ = ["MigrationRefused", "ScriptFile", "migrate", "read_scripts"]

_ONCE = "migrations"
_REPEATABLE = ("functions", "views", "roles")  # in this order: views call functions, roles are granted both
_ALONE_MARKER = "-- no-transaction"
# Any constant serves; this is the first eight bytes of sha256("signal-pipeline migrations") as a signed number.
_LOCK_KEY = int.from_bytes(hashlib.sha256(b"signal-pipeline migrations").digest()[:8], signed=True)
_RETRY_SECONDS = 0.25
_UNDEFINED_DATABASE = "3D000"
_DUPLICATE_DATABASE = ("42P04", "23505")  # the second: two starters created it at the same moment
_NOT_YET = ("57P03", "53300")  # starting up; too many connections


class MigrationRefused(ConfigurationError):
    """The files do not continue what was applied to this database, or one of them failed."""

    default_code = "migration_refused"


@dataclass(frozen=True, kw_only=True)
class ScriptFile:
    """One file of SQL.

    Attributes:
        name: File name for a migration; folder and file name for the others. The key in `schema_migrations`.
        text: Its SQL.
        repeatable: Whether it may be edited and run again.
    """

    name: str
    text: str
    repeatable: bool

    @property
    def sha256(self) -> str:
        """Hexadecimal digest of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def alone(self) -> bool:
        """Whether the file is a single statement that must run outside a transaction."""
        return self.text.startswith(_ALONE_MARKER)


def migrate(database_url: str, directory: Path, *, wait_seconds: float = 60) -> list[str]:
    """Bring the database to the state that the files describe.

    Args:
        database_url: `postgresql://user:password@host:port/database`; the database is created when missing.
        directory: The `sql` folder.
        wait_seconds: How long to wait for the server.

    Returns:
        Names of the files applied, in order; empty when there was nothing to do.

    Raises:
        MigrationRefused: an applied migration changed or is gone, or a file failed. Files before it stay applied.
        DependencyUnavailable: the server did not answer in time.
    """
    scripts = read_scripts(directory)
    with _connection(database_url, time.monotonic() + wait_seconds) as connection, _locked(connection):
        applied = _applied(connection)
        _refuse_changed(scripts, applied)
        pending = _pending(scripts, applied)
        for script in pending:
            _apply(connection, script)
        return [script.name for script in pending]


def read_scripts(directory: Path) -> list[ScriptFile]:
    """Return the files under the `sql` folder in the order in which they run; `ConfigurationError` without any."""
    once = [
        ScriptFile(name=path.name, text=path.read_text(), repeatable=False)
        for path in sorted((directory / _ONCE).glob("*.sql"))
    ]
    if not once:
        raise ConfigurationError(f"there are no migrations in {directory / _ONCE}")
    return once + [
        ScriptFile(name=f"{folder}/{path.name}", text=path.read_text(), repeatable=True)
        for folder in _REPEATABLE
        for path in sorted((directory / folder).glob("*.sql"))
    ]


@contextmanager
def _connection(database_url: str, deadline: float) -> Iterator[Connection]:
    connection = _connect(database_url, deadline)
    try:
        yield connection
    finally:
        connection.close()


def _connect(database_url: str, deadline: float) -> Connection:
    while True:
        try:
            return _open(database_url)
        except (InterfaceError, OSError) as exc:
            cause: Exception = exc
        except DatabaseError as exc:
            if _sqlstate(exc) == _UNDEFINED_DATABASE:
                _create_database(database_url)
                continue
            if _sqlstate(exc) not in _NOT_YET:
                raise ConfigurationError(f"PostgreSQL refuses the connection: {_message(exc)}") from exc
            cause = exc
        if time.monotonic() >= deadline:
            raise DependencyUnavailable(f"PostgreSQL does not answer: {cause}") from cause
        time.sleep(_RETRY_SECONDS)


def _open(database_url: str, database: str | None = None) -> Connection:
    url = urlsplit(database_url)
    return Connection(
        user=unquote(url.username or "postgres"),
        password=unquote(url.password or ""),
        host=url.hostname or "127.0.0.1",
        port=url.port or 5432,
        database=database or _database_name(database_url),
        timeout=None,
        ssl_context=_tls_context(database_url),
        application_name="signal-pipeline-migrate",
    )


def _tls_context(database_url: str) -> ssl.SSLContext | bool | None:
    """Return how pg8000 protects the connection, by libpq's parameters sslmode and sslrootcert of the address.

    pg8000 knows no `require`: True encrypts and verifies nothing, False does not encrypt, None encrypts if it can.
    """
    options = parse_qs(urlsplit(database_url).query)
    mode = options.get("sslmode", ["prefer"])[0]
    if not mode.startswith("verify-"):
        return {"disable": False, "require": True}.get(mode)
    try:
        context = ssl.create_default_context(cafile=options.get("sslrootcert", [None])[0])
    except OSError as exc:
        raise ConfigurationError(f"sslrootcert of DATABASE_URL cannot be read: {exc.strerror or 'no PEM'}") from exc
    context.check_hostname = mode == "verify-full"
    return context


def _create_database(database_url: str) -> None:
    connection = _open(database_url, database="postgres")
    try:
        connection.run(f"CREATE DATABASE {identifier(_database_name(database_url))}")
    except DatabaseError as exc:
        if _sqlstate(exc) not in _DUPLICATE_DATABASE:
            raise ConfigurationError(f"the database cannot be created: {_message(exc)}") from exc
    finally:
        connection.close()


def _database_name(database_url: str) -> str:
    return unquote(urlsplit(database_url).path.lstrip("/")) or "postgres"


@contextmanager
def _locked(connection: Connection) -> Iterator[None]:
    """Hold the lock of this database: of two starters at once, one waits until the other is done."""
    connection.run(f"SELECT pg_advisory_lock({_LOCK_KEY})")
    try:
        yield
    finally:
        connection.run(f"SELECT pg_advisory_unlock({_LOCK_KEY})")


def _applied(connection: Connection) -> dict[str, str]:
    if connection.run("SELECT to_regclass('public.schema_migrations') IS NULL")[0][0]:
        return {}
    return dict(connection.run("SELECT name, sha256 FROM schema_migrations"))


def _refuse_changed(scripts: list[ScriptFile], applied: dict[str, str]) -> None:
    known = {script.name: script.sha256 for script in scripts if not script.repeatable}
    for name, sha256 in sorted(applied.items()):
        if "/" in name:  # a repeatable file may change and may be deleted
            continue
        if name not in known:
            raise MigrationRefused(f"migration {name} was applied to this database, but the file is gone")
        if known[name] != sha256:
            raise MigrationRefused(f"migration {name} was changed after it was applied; add a new one instead")


def _pending(scripts: list[ScriptFile], applied: dict[str, str]) -> list[ScriptFile]:
    """Return what must run: new migrations, and all repeatable files as soon as anything is new."""
    if all(applied.get(script.name) == script.sha256 for script in scripts):
        return []
    return [script for script in scripts if script.repeatable or script.name not in applied]


def _apply(connection: Connection, script: ScriptFile) -> None:
    try:
        if script.alone:
            # A crash between the two leaves the file applied and unrecorded: such a file must tolerate a repeat.
            connection.run(script.text)
            _record(connection, script)
            return
        connection.run("BEGIN")
        connection.run(script.text)
        _record(connection, script)
        connection.run("COMMIT")
    except DatabaseError as exc:
        connection.run("ROLLBACK")
        raise MigrationRefused(f"{script.name} failed: {_message(exc)}") from exc


def _record(connection: Connection, script: ScriptFile) -> None:
    connection.run(
        "INSERT INTO schema_migrations (name, sha256) VALUES (:name, :sha256) "
        "ON CONFLICT (name) DO UPDATE SET sha256 = excluded.sha256, applied_at = now()",
        name=script.name,
        sha256=script.sha256,
    )


def _sqlstate(exc: DatabaseError) -> str | None:
    fields = exc.args[0] if exc.args else None
    return fields.get("C") if isinstance(fields, dict) else None


def _message(exc: DatabaseError) -> str:
    fields = exc.args[0] if exc.args else None
    if not isinstance(fields, dict):
        return str(exc)
    return ". ".join(part for part in (fields.get("M"), fields.get("H")) if part)
