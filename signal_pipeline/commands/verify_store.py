"""What the audit asks the database, on one connection with two temporary tables of its own."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar
from uuid import UUID

from psycopg import Connection
from psycopg.rows import TupleRow, class_row

from signal_pipeline.commands.verify_claims import Claim, failure_id, may_be_purged, origin_id
from signal_pipeline.store.queries import query

__all__ = ["NAMED", "Accounted", "AnomalyCounts", "AuditStore", "OutboxCounts", "PublishedCounts", "UnpublishedCounts"]

NAMED: Final = 20  # of what is missing, as many are named as fit a screen

_Row = TypeVar("_Row")


@dataclass(frozen=True, kw_only=True, slots=True)
class Accounted:
    """Where the records of one batch are.

    Attributes:
        places: Number of records in each place: stored, recorded, unread, quarantine, purged.
        missing: Records in none of them.
    """

    places: Counter[str]
    missing: list[Claim]


@dataclass(frozen=True, kw_only=True, slots=True)
class AnomalyCounts:
    """Anomalies and their outbox rows.

    Attributes:
        total: Anomalies.
        without_event: Those without an outbox row.
        with_several: Those with more than one.
        without_event_ids: Some of them.
        with_several_ids: Some of them.
    """

    total: int
    without_event: int
    with_several: int
    without_event_ids: list[UUID]
    with_several_ids: list[UUID]


@dataclass(frozen=True, kw_only=True, slots=True)
class OutboxCounts:
    """Outbox rows and their anomalies.

    Attributes:
        total: Outbox rows.
        orphans: Those whose anomaly does not exist.
        orphan_ids: Some of them.
        looked_at: When, by the server's clock.
    """

    total: int
    orphans: int
    orphan_ids: list[UUID]
    looked_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedCounts:
    """Events on anomaly-events.

    Attributes:
        total: Events.
        repeated: Those that repeat another; consumers dedupe by id.
        unknown: Those that belong to no outbox row.
        unknown_ids: Some of them.
    """

    total: int
    repeated: int
    unknown: int
    unknown_ids: list[UUID]


@dataclass(frozen=True, kw_only=True, slots=True)
class UnpublishedCounts:
    """Outbox rows without an event.

    Attributes:
        missing: Such rows.
        young: Those of them whose event may still come.
        missing_ids: Some of them, oldest first.
    """

    missing: int
    young: int
    missing_ids: list[UUID]


class AuditStore:
    """Asks for one audit.

    Args:
        connection: A connection in autocommit mode that nobody else uses.
    """

    def __init__(self, connection: Connection[TupleRow]) -> None:
        self._connection = connection
        connection.execute(query("audit_make_letters"))
        connection.execute(query("audit_make_published"))

    def add_letters(self, keys: Sequence[UUID], *, place: str) -> None:
        """Note that dead letters lie in a place, under these keys."""
        self._connection.execute(query("audit_add_letters"), {"keys": list(keys), "place": place})

    def account(self, claims: Sequence[Claim]) -> Accounted:
        """Return where the records of a batch are; what the purge may have reached is not missing."""
        signals = [claim for claim in claims if claim.signal_id is not None]
        unstored = [signals[position - 1] for position in self._not_stored(signals)]
        others = unstored + [claim for claim in claims if claim.signal_id is None]
        places = Counter(stored=len(claims) - len(others))
        if not others:
            return Accounted(places=places, missing=[])
        found = self._places(others)
        lost = [(claim, since) for claim, (place, since) in zip(others, found, strict=True) if place is None]
        # Asked after the rows were looked up: whatever a purge took before that lies under this mark.
        mark = self._purged_before()
        missing = [claim for claim, since in lost if not may_be_purged(claim.record, mark, stored_since=since)]
        places.update(place for place, _ in found if place is not None)
        places["purged"] += len(lost) - len(missing)
        return Accounted(places=places, missing=missing)

    def add_published(self, ids: Sequence[UUID], times: Sequence[datetime | None]) -> None:
        """Note events that are on anomaly-events, with the times of their rows."""
        self._connection.execute(query("audit_add_published"), {"ids": list(ids), "times": list(times)})

    def anomalies(self) -> AnomalyCounts:
        """Compare anomalies with outbox rows."""
        return self._one(AnomalyCounts, "audit_anomalies", limit=NAMED)

    def outbox(self) -> OutboxCounts:
        """Compare outbox rows with anomalies."""
        return self._one(OutboxCounts, "audit_outbox", limit=NAMED)

    def published(self) -> PublishedCounts:
        """Compare the noted events with outbox rows."""
        return self._one(PublishedCounts, "audit_published", limit=NAMED)

    def unpublished(self, *, as_of: datetime, horizon: datetime | None, settling: timedelta) -> UnpublishedCounts:
        """Compare outbox rows with the noted events.

        Args:
            as_of: Newer rows are left out.
            horizon: Kafka may hold no events of rows older than this; None when it holds all.
            settling: A row younger than this may still be published.
        """
        return self._one(
            UnpublishedCounts, "audit_unpublished", as_of=as_of, horizon=horizon, settling=settling, limit=NAMED
        )

    def _not_stored(self, signals: Sequence[Claim]) -> list[int]:
        columns = {"ids": [claim.signal_id for claim in signals], "sources": [claim.source for claim in signals]}
        return [row[0] for row in self._connection.execute(query("audit_not_stored"), columns, binary=True)]

    def _places(self, claims: Sequence[Claim]) -> list[tuple[str | None, datetime | None]]:
        """Return where each record is accounted for, and since when it may have been stored if not when it came."""
        records = [claim.record for claim in claims]
        columns = {
            "failure_ids": [failure_id(record) for record in records],
            "origin_ids": [origin_id(record) for record in records],
            "signal_ids": [claim.signal_id for claim in claims],
        }
        rows = self._connection.execute(query("audit_places"), columns).fetchall()
        places = {position: (place, since) for position, place, since in rows}
        return [places[position] for position in range(1, len(claims) + 1)]

    def _purged_before(self) -> datetime | None:
        row = self._connection.execute(query("audit_purged_before")).fetchone()
        return row[0] if row else None

    def _one(self, kind: type[_Row], name: str, **parameters: object) -> _Row:
        with self._connection.cursor(row_factory=class_row(kind)) as cursor:
            row = cursor.execute(query(name), parameters).fetchone()
        if row is None:
            raise LookupError("a query of aggregates returned no row")
        return row
