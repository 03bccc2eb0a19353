"""`trace`: the whole life of a signal, from the database, the dead letters, the logs and, if asked, Kafka.

id ──▶ what is it? ──▶ signals, dead letters ──▶ their moments ──▶ ids named there ──▶ log lines, records
                                                       └───────────── in order of time ──────┘
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from signal_pipeline.commands.database import connected
from signal_pipeline.commands.dlq_screen import printable
from signal_pipeline.commands.screen import OUT, show_table
from signal_pipeline.commands.trace_kafka import kafka_moments
from signal_pipeline.commands.trace_logs import Wanted, log_moments
from signal_pipeline.commands.trace_store import Moment, Subject, moments_of, subject_of
from signal_pipeline.errors import NotFound
from signal_pipeline.settings import Settings
from signal_pipeline.store.queries import SQL_DIRECTORY

__all__ = ["Trace", "TraceOrder", "collect_trace", "show_trace"]

_ID_FACTS: Final = ("event_id", "correlation_id", "signal_id", "anomaly_id")
_TIME: Final = "%Y-%m-%d %H:%M:%S.%f"


@dataclass(frozen=True, kw_only=True)
class TraceOrder:
    """What to trace.

    Attributes:
        id: Row of signals, event id, anomaly, outbox row, dead letter or correlation id.
        source: Source of the event, when the id is an event's.
        kafka: Whether to read the topics too.
        limit: Most signals and dead letters to follow.
    """

    id: str
    source: str | None = None
    kafka: bool = False
    limit: int = 100


@dataclass(frozen=True, kw_only=True)
class Trace:
    """What is known of an id.

    Attributes:
        subject: What it stands for.
        moments: What happened, in order of time.
    """

    subject: Subject
    moments: Sequence[Moment]


def collect_trace(settings: Settings, order: TraceOrder) -> Trace:
    """Collect what is known of an id.

    Raises:
        NotFound: nothing is.
        DependencyUnavailable: PostgreSQL, or Kafka when it is asked, does not answer.
    """
    with connected(settings, name="trace") as connection:
        subject = subject_of(connection, order.id, source=order.source, limit=order.limit)
        moments = moments_of(connection, subject)
    ids = _ids(order.id, moments)
    if order.kafka:
        moments += kafka_moments(settings, ids)
    moments += log_moments(_log_folder(settings), Wanted(ids=ids | _ids(order.id, moments), places=_places(moments)))
    if not moments:
        raise NotFound(_nothing(order, subject))
    return Trace(subject=subject, moments=sorted(moments, key=lambda moment: moment.at))


def show_trace(found: Trace, order: TraceOrder, *, as_json: bool) -> None:
    """Print a trace as a table, or as JSON for a program."""
    if as_json:
        OUT.print(json.dumps(_document(found, order), indent=2, default=str), markup=False)
        return
    rows = (
        (moment.at.strftime(_TIME), moment.what, printable(moment.id), printable(_text(moment.facts)))
        for moment in found.moments
    )
    kinds = ", ".join(found.subject.kinds) or "named by logs or Kafka only"
    show_table(f"Trace of {printable(order.id)}: {kinds}", ("time, UTC", "what", "of", "with"), rows)
    if found.subject.cut:
        OUT.print(f"it stands for more; these are {order.limit}, more with --limit")
    if not found.subject.searched:
        OUT.print(_NOT_SEARCHED)


_NOT_SEARCHED: Final = (
    "the tables are too large to search them for event ids and correlation ids; an event id with --source is quick"
)


def _document(found: Trace, order: TraceOrder) -> dict[str, Any]:
    subject = found.subject
    return {
        "id": order.id,
        "kinds": subject.kinds,
        "searched": subject.searched,
        "cut": subject.cut,
        "moments": [{**asdict(moment), "at": moment.at.isoformat()} for moment in found.moments],
    }


def _text(facts: dict[str, Any]) -> str:
    """Write facts as `name=value`, one after the other.

    >>> _text({"rule": "low_data_value", "severity": 1})
    'rule=low_data_value severity=1'
    """
    return " ".join(f"{name}={fact if isinstance(fact, str) else json.dumps(fact)}" for name, fact in facts.items())


def _ids(text: str, moments: Iterable[Moment]) -> frozenset[str]:
    """Return all ids under which logs and records may name what happened; a log or topic is none."""
    facts = {str(moment.facts[name]) for moment in moments for name in _ID_FACTS if moment.facts.get(name)}
    failures = {failure for moment in moments for failure in moment.facts.get("failures", ())}
    rows = {moment.id for moment in moments if moment.what != "on Kafka"}
    return frozenset({text} | facts | failures | rows) - {""}


def _places(moments: Iterable[Moment]) -> frozenset[tuple[str, int, int]]:
    return frozenset(
        (moment.facts.get("topic", moment.id), moment.facts["partition"], moment.facts["offset"])
        for moment in moments
        if "offset" in moment.facts
    )


def _log_folder(settings: Settings) -> Path:
    """Return where the local run logs: STATE_DIR is relative to the repository's root unless absolute."""
    return SQL_DIRECTORY.parent / settings.state_dir / "logs"


def _nothing(order: TraceOrder, subject: Subject) -> str:
    if not subject.searched:
        return f"{order.id} is no row's id, and {_NOT_SEARCHED}"
    places = "the database and the logs" + (" and Kafka" if order.kafka else "; records that wait: --kafka")
    return f"nothing is known of {order.id} in {places}"
