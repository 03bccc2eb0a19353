"""The audit's second half: anomalies, outbox rows and the events on `anomaly-events`, one to one to one.

    anomaly-events ──read──▶ temporary table ──compare──▶ rows without an event ──some are young──▶ read on, compare
                                                                                └─ none ──▶ the answer

A row that was written a moment ago may be on its way: the audit waits until it has come or is no longer young. Rows
written after the first look are left out, so the wait ends whatever the traffic is.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from signal_pipeline.commands.kafka_offsets import KafkaOffsets, Range
from signal_pipeline.commands.kafka_reader import read_ranges
from signal_pipeline.commands.verify_store import (
    AnomalyCounts,
    AuditStore,
    OutboxCounts,
    PublishedCounts,
    UnpublishedCounts,
)
from signal_pipeline.events.dead_letter_metadata import uuid_or_none
from signal_pipeline.events.kafka import KafkaRecord, binary_attributes
from signal_pipeline.settings import Settings
from signal_pipeline.topology import ANOMALY_EVENTS

__all__ = ["OutboxAudit", "audit_outbox"]

_SETTLING: Final = timedelta(seconds=15)  # a connector that restarts needs some seconds
_POLL_SECONDS: Final = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class OutboxAudit:
    """What was found of the outbox.

    Attributes:
        anomalies: Anomalies and their outbox rows.
        rows: Outbox rows and their anomalies.
        published: Events on anomaly-events.
        unpublished: Outbox rows without an event.
        foreign_events: Events whose id is no UUID.
    """

    anomalies: AnomalyCounts
    rows: OutboxCounts
    published: PublishedCounts
    unpublished: UnpublishedCounts
    foreign_events: int


def audit_outbox(settings: Settings, offsets: KafkaOffsets, store: AuditStore) -> OutboxAudit:
    """Compare anomalies, outbox rows and events; `PipelineError` when Kafka or PostgreSQL does not answer."""
    reader = _EventReader(settings, offsets, store)
    reader.read_on()
    anomalies, rows = store.anomalies(), store.outbox()
    while True:
        unpublished = store.unpublished(as_of=rows.looked_at, horizon=reader.horizon, settling=_SETTLING)
        if not unpublished.young:
            break
        time.sleep(_POLL_SECONDS)
        reader.read_on()
    return OutboxAudit(
        anomalies=anomalies,
        rows=rows,
        published=store.published(),
        unpublished=unpublished,
        foreign_events=reader.foreign_events,
    )


class _EventReader:
    """Reads anomaly-events from the first record on, and notes each event in the store.

    Attributes:
        horizon: Kafka may hold no events of rows older than this; None when it holds all that were ever there.
        foreign_events: Events whose id is no UUID.
    """

    def __init__(self, settings: Settings, offsets: KafkaOffsets, store: AuditStore) -> None:
        self._settings = settings
        self._offsets = offsets
        self._store = store
        self._read_to: dict[int, int] | None = None
        self._first_times: dict[int, datetime] = {}
        self.horizon: datetime | None = None
        self.foreign_events = 0

    def read_on(self) -> None:
        """Read from where the last call ended to the present end."""
        held = self._offsets.ranges(ANOMALY_EVENTS.name)
        begins = {number: span.begin for number, span in held.items()} if self._read_to is None else self._read_to
        ranges = {number: Range(begin=begins.get(number, 0), end=span.end) for number, span in held.items()}
        for batch in read_ranges(self._settings, ANOMALY_EVENTS.name, ranges):
            self._note(batch)
        if self._read_to is None:
            self.horizon = self._oldest_held(held)
        self._read_to = {number: span.end for number, span in held.items()}

    def _note(self, batch: list[KafkaRecord]) -> None:
        events = [(record, *_identity(record)) for record in batch]
        for record, _, created_at in events:
            self._first_times.setdefault(record.partition, created_at)
        ours = [(event_id, created_at) for _, event_id, created_at in events if event_id is not None]
        self.foreign_events += len(events) - len(ours)
        self._store.add_published([event_id for event_id, _ in ours], [created_at for _, created_at in ours])

    def _oldest_held(self, held: Mapping[int, Range]) -> datetime | None:
        """Return the time before which some partition has lost events to retention; None when none has."""
        shortened = [number for number, span in held.items() if span.begin > 0]
        now = datetime.now(UTC)
        return max((self._first_times.get(number, now) for number in shortened), default=None)


def _identity(record: KafkaRecord) -> tuple[UUID | None, datetime]:
    """Return an event's id, None when it is no UUID, and the time of its row; the record's own time without one."""
    attributes = binary_attributes(record.headers)
    try:
        created_at = datetime.fromisoformat(attributes.get("time", ""))
    except ValueError:
        created_at = datetime.fromtimestamp(record.timestamp_ms / 1000, UTC)
    return uuid_or_none(attributes.get("id")), created_at
