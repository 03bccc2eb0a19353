"""What PostgreSQL knows of an id: first which signals and dead letters it stands for, then what happened to them."""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg import Connection
from psycopg.errors import QueryCanceled
from psycopg.rows import TupleRow

from signal_pipeline.domain.signals import signal_id
from signal_pipeline.store.queries import query

__all__ = ["Moment", "Subject", "moments_of", "subject_of"]

_SEARCH_MILLISECONDS: Final = 15_000  # a table of ten million signals is read within; a larger one is told


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """One thing that happened.

    Attributes:
        at: When, UTC.
        what: What happened, in a few words.
        id: What it happened to: row of signals, anomaly, outbox row, dead letter; or the log or topic that tells it.
        facts: What else is known of it, without empty values.
    """

    at: datetime
    what: str
    id: str
    facts: dict[str, Any]


@dataclass(kw_only=True, slots=True)
class Subject:
    """What an id stands for.

    Attributes:
        kinds: What it is, such as `signal`, `anomaly`, `correlation id`; one id may be several things.
        signals: The signals that it leads to; of a dead letter the one that it would have become.
        letters: The dead letters that it leads to by themselves.
        searched: Whether event ids and correlation ids could be searched in time.
        cut: Whether it leads to more than was asked for.
    """

    kinds: list[str] = field(default_factory=list)
    signals: set[UUID] = field(default_factory=set)
    letters: set[UUID] = field(default_factory=set)
    searched: bool = True
    cut: bool = False


def subject_of(connection: Connection[TupleRow], text: str, *, source: str | None, limit: int) -> Subject:
    """Find what an id stands for.

    Args:
        connection: In autocommit mode; its later statements are bounded in time.
        text: Any id.
        source: Source of the event, when the id is an event's.
        limit: Most rows to follow: one correlation id may stand for thousands of signals.
    """
    subject = Subject()
    connection.execute(query("trace_bound"), {"milliseconds": _SEARCH_MILLISECONDS})
    for key in _keys(text, source):
        _add(subject, connection.execute(query("trace_keys"), {"id": key}).fetchall(), limit)
    parameters = {"text": text, "source": source, "limit": limit + 1}
    try:
        _add(subject, connection.execute(query("trace_search"), parameters).fetchall(), limit)
    except QueryCanceled:
        subject.searched = False
    return subject


def moments_of(connection: Connection[TupleRow], subject: Subject) -> list[Moment]:
    """Return what the tables know of signals and dead letters."""
    parameters = {"signals": list(subject.signals), "letters": list(subject.letters)}
    rows = connection.execute(query("trace_timeline"), parameters).fetchall()
    return [
        Moment(at=at, what=what, id=str(row_id), facts={name: fact for name, fact in facts.items() if fact is not None})
        for at, what, row_id, facts in rows
    ]


def _keys(text: str, source: str | None) -> set[UUID]:
    """Return the keys that an id may be: itself when it is a UUID, and the row of the event of that name."""
    keys = set() if source is None else {signal_id(source, text)}
    with suppress(ValueError):
        keys.add(UUID(text))
    return keys


def _add(subject: Subject, rows: list[TupleRow], limit: int) -> None:
    subject.cut |= len(rows) > limit
    for kind, signal, letter in rows[:limit]:
        if kind not in subject.kinds:
            subject.kinds.append(kind)
        subject.signals |= {signal} - {None}
        subject.letters |= {letter} - {None}
