"""The check: read what is there, judge it, and if asked wait until it is sound."""

import time
from collections.abc import Callable, Iterator, Sequence

from tests.checker.anomalies import unpaired, unpublished, wrong_anomalies
from tests.checker.bounds import exceeded
from tests.checker.case import Case
from tests.checker.counters import miscounted
from tests.checker.history import History
from tests.checker.kafka import Broker, read_ends, read_topic
from tests.checker.model import Sent, Snapshot
from tests.checker.moments import committed_ahead, lagging, overtaken, went_back
from tests.checker.poison import altered_letters, healthy_letters, misplaced_poison
from tests.checker.postgres import read_tables
from tests.checker.report import Finding, Line, Report
from tests.checker.signals import altered, doubled, lost, phantoms

__all__ = ["check", "check_until_sound", "judge"]

# Each invariant yields once for each thing it looks at: what is wrong with it, or None.
_INVARIANTS: tuple[tuple[str, str, Callable[[Case], Iterator[Finding | None]]], ...] = (
    ("I1", "no loss: accepted events are stored or dead letters", lost),
    ("I2", "no duplicates: one row per identity", doubled),
    ("I3", "no phantoms: rows were sent and not refused", phantoms),
    ("I4", "intact: rows equal a sent version, the latest", altered),
    ("I4", "intact: dead letters have the original's bytes", altered_letters),
    ("I6", "anomalies are what the rules say", wrong_anomalies),
    ("I7", "each anomaly has exactly one outbox row", unpaired),
    ("I8", "each outbox row is one event on the topic", unpublished),
    ("I9", "each poison record is exactly one dead letter", misplaced_poison),
    ("I9", "no healthy event is a dead letter", healthy_letters),
)
# These need to have been watched while it ran.
_WATCHED: tuple[tuple[str, str, Callable[[Case], Iterator[Finding | None]]], ...] = (
    ("I5", "no sampled commit is ahead of an effect", committed_ahead),
    ("I5", "no sampled commit is below an earlier one", went_back),
    ("I5", "every group has committed to the end", lagging),
    ("I11", "first processing of a key is in order", overtaken),
    ("I13", "memory, connections, in-flight, log are bounded", exceeded),
    ("I14", "counters are what the ledger says", miscounted),
)
_PAUSE_SECONDS = 0.5


def judge(case: Case) -> Report:
    """Judge what was read; pure."""
    lines = []
    for invariant, title, examine in _INVARIANTS if case.history is None else _INVARIANTS + _WATCHED:
        results = list(examine(case))
        findings = tuple(each for each in results if each is not None)
        lines.append(Line(invariant=invariant, title=title, checked=len(results), findings=findings))
    return Report(lines=tuple(lines))


def check(
    database_url: str,
    broker: Broker | None = None,
    sent: Sequence[Sent] = (),
    *,
    stamped: bool = False,
    recorded: bool = False,
    history: History | None = None,
) -> Report:
    """Read the pipeline's state and judge it.

    Args:
        database_url: `postgresql://user:password@host:port/database`.
        broker: Kafka's address, or a client's settings for it; None judges the tables alone.
        sent: The ledger, which is also the scope; empty judges all rows by themselves.
        stamped: Every outbox row must be stamped as published.
        recorded: Every dead letter must be in table `dead_letters`.
        history: What an observer saw meanwhile, for the invariants about moments; Kafka must be readable then.
    """
    scope = Case(sent=tuple(sent), snapshot=Snapshot())
    tables = read_tables(database_url, sources=[*scope.own_sources], ids=[*scope.events], everything=not sent)
    snapshot = Snapshot(
        rows=tables.rows,
        superseded=tables.superseded,
        anomalies=tables.anomalies,
        outbox=tables.outbox,
        recorded=tables.recorded,
        # Read after the tables: an event may be newer than the snapshot, never missing because it was too new.
        published=None if broker is None else read_topic(broker, "anomaly-events"),
        dead=() if broker is None else read_topic(broker, "signal-events-dlq"),
        quarantined=() if broker is None else read_topic(broker, "signal-events-quarantine"),
        log=() if broker is None or history is None else read_topic(broker, "signal-events", history.log_start),
        ends={} if broker is None or history is None else read_ends(broker),
    )
    return judge(Case(sent=tuple(sent), snapshot=snapshot, stamped=stamped, recorded=recorded, history=history))


def check_until_sound(read: Callable[[], Report], *, seconds: float) -> Report:
    """Check again until nothing is wrong or the time is over; returns the last report.

    Delivery is asynchronous: right after a load, events are on their way and not lost.
    """
    deadline = time.monotonic() + seconds
    while not (report := read()).sound and time.monotonic() < deadline:
        time.sleep(_PAUSE_SECONDS)
    return report
