"""What `doctor` looks at in PostgreSQL. Each verdict is a pure function of what was read; below them the reading."""

import re
import shlex
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from signal_pipeline.commands.database import rows_of
from signal_pipeline.commands.doctor_findings import Check, Finding, Level, good
from signal_pipeline.commands.screen import duration
from signal_pipeline.settings import Settings
from signal_pipeline.store.migrator import ScriptFile, read_scripts
from signal_pipeline.store.queries import SQL_DIRECTORY

__all__ = ["DATABASE_CHECKS", "audit_verdict", "clock_verdict", "index_verdict", "pending_list_verdict"]
__all__ += ["publication_verdict", "schema_verdict", "unused_verdict", "version_verdict"]

_OLDEST_VERSION: Final = 150_000  # PostgreSQL 15, as server_version_num
_SKEW_SECONDS: Final = 1.0  # events are guarded by their time; a request within this machine takes milliseconds
_WORST_SKEW_SECONDS: Final = 60.0  # tokens are refused at this
_TELLING_SIGNALS: Final = 10_000_000  # three hours at 1,000 a second: before that an unused index says nothing
_PENDING_PAGES: Final = 512  # gin_pending_list_limit's default of 4 MiB, which autovacuum should keep it below
_AUDIT_AGE: Final = timedelta(hours=25)  # as the alert AuditStale: a day, and an hour to run
_PUBLISHED: Final = ["debezium_heartbeat", "outbox_events"]
_PUBLICATION: Final = "outbox_publication"
_INDEX: Final = re.compile(r"^CREATE (?:UNIQUE )?INDEX (\w+)[^;]*;", re.MULTILINE)
_MIGRATE: Final = ".venv/bin/signal-pipeline migrate"


def version_verdict(number: int, version: str) -> Sequence[Finding]:
    """Judge the server's version."""
    if number >= _OLDEST_VERSION:
        return good(f"PostgreSQL {version}")
    wanted = f"PostgreSQL {version}; 15 or newer is needed"
    return (Finding(level=Level.FAULT, what=wanted, fix="apt-get install postgresql && make down up"),)


def clock_verdict(before: float, server: float, after: float) -> Sequence[Finding]:
    """Judge the server's clock, which was read between two readings of this machine's; seconds since 1970."""
    skew = max(before - server, server - after, 0.0)
    if skew <= _SKEW_SECONDS:
        return good(f"PostgreSQL's clock is this machine's within {duration(max(skew, after - before))}")
    level = Level.FAULT if skew >= _WORST_SKEW_SECONDS else Level.WARNING
    return (
        Finding(level=level, what=f"PostgreSQL's clock differs by {duration(skew)}", fix="timedatectl set-ntp true"),
    )


def schema_verdict(scripts: Sequence[ScriptFile], applied: Mapping[str, str]) -> Sequence[Finding]:
    """Compare the files with what was applied, by name and digest."""
    once = {script.name: script.sha256 for script in scripts if not script.repeatable}
    changed = [name for name, sha256 in once.items() if applied.get(name, sha256) != sha256]
    gone = [name for name in applied if "/" not in name and name not in once]
    other = [each.name for each in scripts if applied.get(each.name) != each.sha256 and each.name not in changed]
    return [
        *(_fault(f"migration {name} was changed after it was applied", _restore(name)) for name in changed),
        *(_fault(f"migration {name} was applied, but its file is gone", _restore(name)) for name in gone),
        *(_fault(f"{name} is not applied", _MIGRATE) for name in other),
    ] or good(f"{len(scripts)} files are applied as they are")


def index_verdict(scripts: Sequence[ScriptFile], present: Sequence[str], psql: str) -> Sequence[Finding]:
    """Compare the indexes that migrations make with those that there are."""
    wanted = {match[1]: match[0] for each in scripts if not each.repeatable for match in _INDEX.finditer(each.text)}
    missing = {name: " ".join(made.split()) for name, made in wanted.items() if name not in present}
    faults = [_fault(f"index {name} is missing", _sql(psql, made)) for name, made in missing.items()]
    return faults or good(f"{len(wanted)} indexes are there")


def unused_verdict(rows: Sequence[Mapping[str, Any]], signals_written: int) -> Sequence[Finding]:
    """Name indexes that nothing has read, once the server has seen enough."""
    if signals_written < _TELLING_SIGNALS:
        return good(f"after {signals_written:,} signals it is too early to tell")
    unused = [row["index_name"] for row in rows if row["unused"]]
    what = f"nothing has read {', '.join(unused)}"
    return (Finding(level=Level.HINT, what=what, fix="make db-stats"),) if unused else good("every index is used")


def pending_list_verdict(rows: Sequence[Mapping[str, Any]], psql: str) -> Sequence[Finding]:
    """Judge the pending lists of the GIN indexes, which every search reads entry by entry."""
    fix = _sql(psql, "SELECT * FROM clean_gin_pending()")
    return [
        Finding(level=Level.WARNING, what=f"{row['index_name']} has {row['pending_pages']:,} pending pages", fix=fix)
        for row in rows
        if row["pending_pages"] > _PENDING_PAGES
    ] or good(f"{sum(row['pending_pages'] for row in rows):,} pending pages")


def publication_verdict(row: Mapping[str, Any] | None, psql: str) -> Sequence[Finding]:
    """Judge the publication that Debezium reads: inserts of the outbox and of its heartbeat, nothing else."""
    tables = ", ".join(_PUBLISHED)
    if row is None:
        make = f"CREATE PUBLICATION {_PUBLICATION} FOR TABLE {tables} WITH (publish = 'insert')"
        return (_fault(f"publication {_PUBLICATION} is missing", _sql(psql, make)),)
    if row["tables"] != _PUBLISHED:
        fix = _sql(psql, f"ALTER PUBLICATION {_PUBLICATION} SET TABLE {tables}")
        return (_fault(f"it publishes {', '.join(row['tables']) or 'nothing'} instead of {tables}", fix),)
    if not row["inserts_only"]:
        fix = _sql(psql, f"ALTER PUBLICATION {_PUBLICATION} SET (publish = 'insert')")
        return (_fault("it publishes other changes than inserts alone", fix),)
    return good(f"inserts of {tables}")


def audit_verdict(row: Mapping[str, Any] | None, now: datetime) -> Sequence[Finding]:
    """Judge the last audit: that there is one, that it passed, that it is not old."""
    if row is None:
        return (Finding(level=Level.HINT, what="nobody has audited yet", fix="make verify"),)
    age = now - row["finished_at"]
    told = f"the last audit, {duration(age.total_seconds())} ago, looked for {row['audited']:,} events"
    if not row["ok"]:
        return (_fault(f"{told} and missed {row['missing']:,}; breaches: {dict(row['violations'])}", "make verify"),)
    if age > _AUDIT_AGE:
        return (Finding(level=Level.WARNING, what=told, fix="make verify"),)
    return good(f"{told} and found all")


def _fault(what: str, fix: str) -> Finding:
    return Finding(level=Level.FAULT, what=what, fix=fix)


def _sql(psql: str, statement: str) -> str:
    return f"{psql} -c {shlex.quote(statement)}"


def _restore(migration: str) -> str:
    return f"git checkout -- sql/migrations/{migration}"


def psql_of(settings: Settings) -> str:
    """Return the command that reaches the database, without its password."""
    url = urlsplit(settings.database_url.get_secret_value())
    database, user = unquote(url.path.lstrip("/")), unquote(url.username or "postgres")
    return f"psql -h {url.hostname or '127.0.0.1'} -p {url.port or 5432} -U {user} -d {database}"


def _first(rows: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    return rows[0] if rows else None


def _version(settings: Settings) -> Sequence[Finding]:
    (row,) = rows_of(settings, "doctor_server")
    return version_verdict(row["version_number"], row["version"])


def _clock(settings: Settings) -> Sequence[Finding]:
    before = time.time()
    (row,) = rows_of(settings, "doctor_server")
    return clock_verdict(before, row["clock_seconds"], time.time())


def _schema(settings: Settings) -> Sequence[Finding]:
    applied = {row["name"]: row["sha256"] for row in rows_of(settings, "doctor_scripts")}
    return schema_verdict(read_scripts(SQL_DIRECTORY), applied)


def _indexes(settings: Settings) -> Sequence[Finding]:
    present = [row["index_name"] for row in rows_of(settings, "index_usage")]
    return index_verdict(read_scripts(SQL_DIRECTORY), present, psql_of(settings))


def _unused(settings: Settings) -> Sequence[Finding]:
    written = _first(rows_of(settings, "doctor_written"))
    return unused_verdict(rows_of(settings, "index_usage"), written["signals"] if written else 0)


def _pending_lists(settings: Settings) -> Sequence[Finding]:
    return pending_list_verdict(rows_of(settings, "gin_pending"), psql_of(settings))


def _publication(settings: Settings) -> Sequence[Finding]:
    return publication_verdict(_first(rows_of(settings, "doctor_publication")), psql_of(settings))


def _audit(settings: Settings) -> Sequence[Finding]:
    return audit_verdict(_first(rows_of(settings, "last_audit_run")), datetime.now(UTC))


DATABASE_CHECKS: Final = tuple(
    Check(name=name, look=look, needs="postgres")
    for name, look in (
        ("PostgreSQL version", _version),
        ("clock", _clock),
        ("schema", _schema),
        ("indexes", _indexes),
        ("unused indexes", _unused),
        ("GIN pending lists", _pending_lists),
        ("publication", _publication),
        ("audit", _audit),
    )
)
