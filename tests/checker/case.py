"""One question to the checker: what was sent, what is there, and how much is asked. Indexes for the invariants."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

from tests.checker.model import Outcome, Row, Sent, Snapshot

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
    """

    sent: tuple[Sent, ...]
    snapshot: Snapshot
    stamped: bool = False
    recorded: bool = False

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
