"""`outbox republish`: publishes the outbox rows that nobody confirmed, as Debezium would have.

pending rows, oldest first ──a page──▶ anomaly-events ──all acknowledged──▶ next page … until rows are young
                                            └─ one is not ──▶ stop; a second run begins with the same rows

For the loss of the replication slot, with which Debezium loses its place in the log. The rows are the truth, and
confirm-outbox stamps them when their events come back. An event that Debezium publishes too arrives twice with the
same ce_id, as after any restart of it: consumers dedupe by it.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from psycopg.rows import class_row

from signal_pipeline.broker.producer import KafkaProducer
from signal_pipeline.commands.database import connected
from signal_pipeline.commands.screen import OUT
from signal_pipeline.errors import DependencyUnavailable
from signal_pipeline.events.envelope import JSON_CONTENT_TYPE
from signal_pipeline.events.kafka import OutgoingRecord, instant_text
from signal_pipeline.settings import Settings
from signal_pipeline.store.queries import query
from signal_pipeline.topology import ANOMALY_EVENTS

__all__ = ["PendingRow", "record_of", "republish"]

_PAGE: Final = 1000
_SOURCE: Final = b"signal-pipeline/detect-anomaly"  # as sql/debezium/outbox-connector.json says
_BEGINNING: Final = (datetime.min.replace(tzinfo=UTC), UUID(int=0))


@dataclass(frozen=True, kw_only=True, slots=True)
class PendingRow:
    """An outbox row without a stamp; its attributes are the columns."""

    id: UUID
    eventtype: str
    aggregateid: str
    subject: str
    specversion: str
    payload: str
    created_at: datetime


def record_of(row: PendingRow) -> OutgoingRecord:
    """Return the record that Debezium would make of a row."""
    headers: tuple[tuple[str, bytes | None], ...] = (
        ("ce_id", str(row.id).encode()),
        ("ce_type", row.eventtype.encode()),
        ("ce_subject", row.subject.encode()),
        ("ce_specversion", row.specversion.encode()),
        ("ce_time", instant_text(row.created_at.astimezone(UTC)).encode()),
        ("ce_source", _SOURCE),
        ("content-type", JSON_CONTENT_TYPE.encode()),
    )
    return OutgoingRecord(
        topic=ANOMALY_EVENTS.name, key=row.aggregateid.encode(), value=row.payload.encode(), headers=headers
    )


def republish(settings: Settings, *, older_than: timedelta) -> int:
    """Publish every pending row of at least this age and return how many.

    Raises:
        DependencyUnavailable: PostgreSQL or Kafka does not answer; what was acknowledged so far stays published.
    """
    return asyncio.run(_republish(settings, datetime.now(UTC) - older_than))


async def _republish(settings: Settings, youngest: datetime) -> int:
    producer, published = KafkaProducer(settings), 0
    try:
        for page in _pages(settings, youngest):
            outcomes = await producer.produce([record_of(row) for row in page])
            refused = next((outcome for outcome in outcomes if outcome is not None), None)
            if refused is not None:
                raise DependencyUnavailable(
                    f"{ANOMALY_EVENTS.name} did not acknowledge ({refused.detail}); run the command again"
                )
            published += len(page)
    finally:
        await producer.close()
    OUT.print(f"{published:,} outbox rows published again; confirm-outbox stamps them")
    return published


def _pages(settings: Settings, youngest: datetime) -> Iterator[Sequence[PendingRow]]:
    after = _BEGINNING
    with connected(settings, name="outbox") as connection, connection.cursor(row_factory=class_row(PendingRow)) as rows:
        while True:
            parameters: dict[str, Any] = {"after_time": after[0], "after_id": after[1], "limit": _PAGE}
            found = rows.execute(query("outbox_pending"), parameters).fetchall()
            page = [row for row in found if row.created_at <= youngest]
            if page:
                yield page
            if len(page) < _PAGE:
                return
            after = (page[-1].created_at, page[-1].id)
