"""One question to the checker: what was sent, what is there, and how much is asked. Indexes for the invariants."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from uuid import UUID

from tests.checker.history import History
from tests.checker.letters import origin
from tests.checker.model import Outcome, Position, RawRecord, Row, Sent, Snapshot

__all__ = ["SHARED_SOURCES", "Case"]

# Sources of the steady emission: rows that no ledger knows are no phantoms there.
SHARED_SOURCES = frozenset({"web", "mobile", "api"})


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is judged.

    Attributes:
        sent: The ledger; empty judges what is there by itself.
        snapshot: What is there.
        stamped: Whether every outbox row must be stamped as published by now.
        recorded: Whether every dead letter must be in table `dead_letters` by now.
        history: What an observer saw meanwhile; None when there was none.
    """

    sent: tuple[Sent, ...]
    snapshot: Snapshot
    stamped: bool = False
    recorded: bool = False
    history: History | None = None

    @cached_property
    def rows(self) -> dict[UUID, Row]:
        """Signals by id."""
        return {row.id: row for row in self.snapshot.rows}

    @cached_property
    def events(self) -> dict[UUID, list[Sent]]:
        """What was sent as an event, by the id of its row."""
        found = defaultdict(list)
        for sent in self.sent:
            if sent.version is not None:
                found[sent.version.row_id].append(sent)
        return dict(found)

    @cached_property
    def own_sources(self) -> frozenset[str]:
        """Sources that nothing but this ledger uses."""
        used = {each[0].version.source for each in self.events.values() if each[0].version}
        return frozenset(used - SHARED_SOURCES)

    @cached_property
    def letters_of(self) -> dict[Position, list[RawRecord]]:
        """Dead letters and quarantine records by the position of their original."""
        found = defaultdict(list)
        for letter in (*self.snapshot.dead, *self.snapshot.quarantined):
            position = origin(letter)
            if position is not None:
                found[position].append(letter)
        return dict(found)

    @cached_property
    def rewritten(self) -> frozenset[UUID]:
        """Ids of events that were sent in several versions: their rows tell nothing of the first one."""
        return frozenset(
            row_id
            for row_id, events in self.events.items()
            if any(each.version != events[0].version for each in events)
        )

    @cached_property
    def detected_at(self) -> dict[UUID, datetime]:
        """When the first anomaly of a signal was found."""
        found: dict[UUID, datetime] = {}
        for anomaly in self.snapshot.anomalies:
            at = anomaly.detected_at
            if at is not None:
                found[anomaly.signal_id] = min(at, found.get(anomaly.signal_id, at))
        return found

    @cached_property
    def stored_at(self) -> dict[UUID, datetime]:
        """When a signal without anomaly was stored, which only process-signal does."""
        with_anomaly = {anomaly.signal_id for anomaly in self.snapshot.anomalies}
        return {row.id: row.stored_at for row in self.snapshot.rows if row.stored_at and row.id not in with_anomaly}

    @cached_property
    def anomalous(self) -> frozenset[UUID]:
        """Ids of signals that have an anomaly in the end, in the one version that was sent."""
        return frozenset(anomaly.signal_id for anomaly in self.snapshot.anomalies) - self.rewritten

    def accepted(self, row: Row) -> Iterator[Row]:
        """Yield what the row is and what it was before newer versions replaced it."""
        yield row
        yield from self._superseded.get(row.id, ())

    @cached_property
    def _superseded(self) -> dict[UUID, list[Row]]:
        found = defaultdict(list)
        for row in self.snapshot.superseded:
            found[row.id].append(row)
        return dict(found)

    @staticmethod
    def possible(events: list[Sent]) -> list[Sent]:
        """Return what may have been accepted: all but definite failures."""
        return [sent for sent in events if sent.outcome is not Outcome.FAIL]
