"""A load of 10,000 signals with a restart in its middle, and what everything but the metrics counts of it.

100 of the 10,000 are invalid: emit refuses 40, and 60 poison records come to Kafka past it. Ten dead letters are
replayed on top.

    before ── first half, poison, letters ── middle ── stop ── second half ── start ── after
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.topology import ROLES
from tests.checker import Outcome, Sent
from tests.checker.kafka import read_ends
from tests.checker.model import RawRecord
from tests.support.dead_letters import dead_letter, write_dead_letters
from tests.support.metrics import page, real_lag, topic_end
from tests.support.pipeline import Pipeline
from tests.support.replay import ask_replay
from tests.support.sender import Sender, binary_record, event, events
from tests.support.waiting import wait_for

__all__ = ["FUNCTION", "TRIGGER", "Moment", "Run", "look", "run_load", "samples", "settle", "total"]

FUNCTION, TRIGGER = "process_start_time_seconds", "trigger_process_start_time_seconds"
POISON, LETTERS, BATCHES, VALID_IN_BATCH, INVALID_IN_BATCH = 60, 10, 20, 495, 2
_TOPICS = ("signal-events", "signal-events-dlq", "signal-events-quarantine", "anomaly-events")
_OWN = """
WITH own AS (
    SELECT a.* FROM anomalies AS a JOIN signals AS s ON s.id = a.signal_event_id WHERE s.source = %(source)s
), written AS (
    SELECT o.* FROM outbox_events AS o JOIN own ON own.id::text = o.aggregateid
)
"""
_COUNTS = """
SELECT
    (SELECT count(*) FROM signals WHERE source = %(source)s) AS rows,
    (SELECT count(*) FROM written) AS outbox,
    (SELECT count(*) FROM written WHERE processed_at IS NOT NULL) AS confirmed,
    (SELECT count(*) FROM dead_letters) AS letters,
    (SELECT count(*) FROM dead_letters WHERE status = 'quarantined' AND failure_class = 'invalid') AS quarantined,
    (SELECT count(*) FROM dead_letters WHERE status = 'replayed') AS replayed,
    (
        SELECT coalesce(sum(extract(EPOCH FROM updated_at - first_failed_at)), 0)::float
        FROM dead_letters WHERE event_source = %(source)s
    ) AS waited
"""
_FOUND = "SELECT anomaly_type, severity::text, count(*) FROM own GROUP BY 1, 2"
_WAITING = """
SELECT
    (SELECT count(*) FROM dead_letters WHERE status = 'scheduled'),
    (SELECT count(*) FROM outbox_events WHERE processed_at IS NULL)
"""


@dataclass(frozen=True, kw_only=True)
class Moment:
    """What the metrics say at a moment, and what the stores say.

    Attributes:
        at: When, by the monotonic clock.
        pages: Each role's samples.
        ends: Each topic's log end, over its partitions.
        tables: Counts of rows of one source, and of dead letters.
        found: Number of anomalies of that source by type and severity.
    """

    at: float
    pages: Mapping[str, Mapping[str, float]]
    ends: Mapping[str, int]
    tables: Mapping[str, float]
    found: Mapping[tuple[str, str], int]


@dataclass(frozen=True, kw_only=True)
class Run:
    """The load as a whole; `shown_lag` and `real_lag` are those of process-signal while its function was stopped."""

    moments: tuple[Moment, Moment, Moment]
    shown_lag: float
    real_lag: int
    sent: tuple[Sent, ...]

    @property
    def after(self) -> Moment:
        """The last moment."""
        return self.moments[-1]

    @property
    def seconds(self) -> float:
        """How long the load took."""
        return self.after.at - self.moments[0].at

    def grew(self, role: str, name: str, process: str = FUNCTION) -> float:
        """Return by how much a counter grew, over the restart: a process that began anew counts from zero."""
        values = [(one.pages[role][process], total(one.pages[role], name)) for one in self.moments]
        return sum(now - (past if born == before else 0) for (before, past), (born, now) in pairwise(values))

    def ended(self, topic: str) -> int:
        """Return by how many records a topic grew."""
        return self.after.ends[topic] - self.moments[0].ends[topic]

    def counted(self, name: str) -> float:
        """Return by how much a count of rows grew."""
        return self.after.tables[name] - self.moments[0].tables[name]

    def outcomes(self, outcome: Outcome) -> int:
        """Return how many events, sent over HTTP, the ledger has with this outcome."""
        return sum(each.outcome is outcome for each in self.sent if each.record is None)


def samples(text: str) -> dict[str, float]:
    """Return a page's samples by name and labels, as the page writes them."""
    pairs = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in pairs}


def total(found: Mapping[str, float], name: str) -> float:
    """Return a sample's value, or the sum over its labels when it has some; 0 when there is none."""
    return sum(value for sample, value in found.items() if sample == name or sample.startswith(f"{name}{{"))


def look(pipeline: Pipeline, source: str) -> Moment:
    """Return this moment."""
    with psycopg.connect(pipeline.database_url) as connection:
        tables = connection.cursor(row_factory=dict_row).execute(_OWN + _COUNTS, {"source": source}).fetchone()
        found = connection.execute(_OWN + _FOUND, {"source": source}).fetchall()
    return Moment(
        at=time.monotonic(),
        pages=_pages(pipeline),
        ends={topic: topic_end(pipeline.settings, topic) for topic in _TOPICS},
        tables=tables or {},
        found={(kind, severity): count for kind, severity, count in found},
    )


def settle(pipeline: Pipeline) -> None:
    """Wait until nothing is on its way: no record is unread, no letter due, no outbox row unconfirmed."""
    wait_for(lambda: _is_idle(pipeline), seconds=90, what="an idle pipeline")


def _is_idle(pipeline: Pipeline) -> bool:
    if any(end > (committed or 0) for committed, end in read_ends(pipeline.broker).values()):
        return False
    with psycopg.connect(pipeline.database_url) as connection:
        scheduled, unconfirmed = connection.execute(_WAITING).fetchone() or (0, 0)
    if scheduled:
        ask_replay(pipeline, "/tick", body={})  # sooner than the schedule
    gauges = ("consumer_lag", "dlq_queue_size", "trigger_in_flight", "outbox_pending_events")
    shown = sum(total(one, gauge) for one in _pages(pipeline).values() for gauge in gauges)
    return bool(scheduled == unconfirmed == shown == 0)


def _pages(pipeline: Pipeline) -> dict[str, dict[str, float]]:
    return {role.name: samples(page(pipeline.settings.metrics_port(role.name))) for role in ROLES}


async def run_load(pipeline: Pipeline, ledger: Path) -> Run:
    """Send the load and return what came of it."""
    async with Sender(pipeline.settings, ledger) as sender:
        settle(pipeline)
        before = look(pipeline, sender.source)
        await _post(sender, BATCHES // 2)
        sender.produce("signal-events", [(_poison(number), None) for number in range(POISON)])
        lost = [binary_record(event(sender.source), key=b"user") for _ in range(LETTERS)]
        write_dead_letters(pipeline, *(dead_letter(each, FailureClass.DEPENDENCY) for each in lost))
        settle(pipeline)
        middle = look(pipeline, sender.source)
        shown, real = await _restart(pipeline, sender)
        settle(pipeline)
        after = look(pipeline, sender.source)
        return Run(moments=(before, middle, after), shown_lag=shown, real_lag=real, sent=sender.sent())


async def _restart(pipeline: Pipeline, sender: Sender) -> tuple[float, int]:
    """Send the second half while the function is stopped; return the lag that was shown then, and the broker's."""
    port = pipeline.settings.trigger_port("process-signal") or 0
    pipeline.local("stop", "process-signal")
    try:
        await _post(sender, BATCHES // 2)
        real = real_lag(pipeline.settings, "process-signal", "signal-events")
        wait_for(lambda: samples(page(port))["consumer_lag"] == real, seconds=15, what="the real lag on the page")
        return samples(page(port))["consumer_lag"], real
    finally:
        pipeline.local("start", "process-signal")


async def _post(sender: Sender, batches: int) -> None:
    for _ in range(batches):
        batch: list[dict[str, Any]] = events(VALID_IN_BATCH, sender.source)
        for place in range(INVALID_IN_BATCH):
            batch.insert(place * 100, event(sender.source, type=""))
        await sender.post_batch(batch)


def _poison(number: int) -> RawRecord:
    """Return a record that can never work, in one of three ways."""
    kinds = (b"not JSON %d", b'{"number": %d}', b'["a list", %d]')
    return RawRecord(key=None, value=kinds[number % len(kinds)] % number, headers=())
