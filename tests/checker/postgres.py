"""Reads the tables, all in one snapshot."""

import json
import ssl
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

import pg8000.dbapi

from tests.checker.model import Anomaly, OutboxRow, Position, Row

__all__ = ["Tables", "connect", "read_tables"]

_SIGNALS = """
SELECT id, source, type, user_id, event_ts, payload::text, extensions::text, ingest_ts FROM signals
WHERE %s OR source = ANY(%s::text[]) OR id = ANY(%s::uuid[])
"""
_SUPERSEDED = """
SELECT signal_id, NULL, type, user_id, event_ts, payload::text, extensions::text, NULL FROM superseded_signals
WHERE %s OR signal_id = ANY(%s::uuid[])
"""
_ANOMALIES = """
SELECT id, signal_event_id, anomaly_type, detection_ts FROM anomalies WHERE %s OR signal_event_id = ANY(%s::uuid[])
"""
_OUTBOX = """
SELECT id, aggregateid, payload::text, processed_at IS NOT NULL FROM outbox_events
WHERE %s OR payload ->> 'signal_event_id' = ANY(%s::text[]) OR aggregateid = ANY(%s::text[])
"""
_DEAD_LETTERS = "SELECT original_topic, original_partition, original_offset FROM dead_letters"


@dataclass(frozen=True, kw_only=True)
class Tables:
    """What the tables held at one moment; see `Snapshot`."""

    rows: tuple[Row, ...]
    superseded: tuple[Row, ...]
    anomalies: tuple[Anomaly, ...]
    outbox: tuple[OutboxRow, ...]
    recorded: tuple[Position, ...]


def read_tables(database_url: str, *, sources: Sequence[str], ids: Sequence[UUID], everything: bool) -> Tables:
    """Read what is in scope.

    Args:
        database_url: `postgresql://user:password@host:port/database`.
        sources: Signals of these sources are in scope.
        ids: Signals with these ids are in scope, whatever their source.
        everything: All rows are in scope.
    """
    with _snapshot(database_url) as cursor:
        rows = _fetch(cursor, _SIGNALS, everything, list(sources), list(ids))
        signal_ids = list({row[0] for row in rows} | set(ids))
        anomalies = _fetch(cursor, _ANOMALIES, everything, signal_ids)
        aggregates = [str(anomaly[0]) for anomaly in anomalies]
        outbox = _fetch(cursor, _OUTBOX, everything, [str(each) for each in signal_ids], aggregates)
        return Tables(
            rows=tuple(map(_row, rows)),
            superseded=tuple(map(_row, _fetch(cursor, _SUPERSEDED, everything, signal_ids))),
            anomalies=tuple(
                Anomaly(id=each[0], signal_id=each[1], rule=each[2], detected_at=each[3]) for each in anomalies
            ),
            outbox=tuple(
                OutboxRow(id=each[0], aggregate_id=each[1], payload=json.loads(each[2]), stamped=each[3])
                for each in outbox
            ),
            recorded=tuple(
                Position(topic=each[0], partition=each[1], offset=each[2]) for each in _fetch(cursor, _DEAD_LETTERS)
            ),
        )


def connect(database_url: str, *, seconds: float = 60) -> Any:
    """Return a connection whose every answer comes within so many seconds, or is an error."""
    url = urlsplit(database_url)
    return pg8000.dbapi.connect(
        user=unquote(url.username or "postgres"),
        password=unquote(url.password or ""),
        host=url.hostname or "127.0.0.1",
        port=url.port or 5432,
        database=url.path.lstrip("/"),
        timeout=seconds,
        ssl_context=_tls(url.query),
        application_name="checker",
    )


def _tls(query: str) -> ssl.SSLContext | None:
    """Return what verifies the server when the address asks for it, by libpq's parameters."""
    options = parse_qs(query)
    if options.get("sslmode") != ["verify-full"]:
        return None
    return ssl.create_default_context(cafile=options.get("sslrootcert", [None])[0])


@contextmanager
def _snapshot(database_url: str) -> Iterator[Any]:
    with closing(connect(database_url)) as connection:
        cursor = connection.cursor()
        # One snapshot for all tables: a row written between two reads would look like an orphan.
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield cursor


def _fetch(cursor: Any, statement: str, *arguments: Any) -> list[Any]:
    cursor.execute(statement, arguments)
    return list(cursor.fetchall())


def _row(fields: Sequence[Any]) -> Row:
    row_id, source, kind, user_id, event_ts, payload, extensions, stored_at = fields
    return Row(
        id=row_id,
        source=source,
        type=kind,
        user_id=user_id,
        event_ts=event_ts,
        payload=None if payload is None else json.loads(payload),
        extensions=None if extensions is None else json.loads(extensions),
        stored_at=stored_at,
    )
