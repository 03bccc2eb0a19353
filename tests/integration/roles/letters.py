"""Dead letters of the recovery's tests."""

from datetime import UTC, datetime
from uuid import UUID

from signal_pipeline.domain.dead_letters import ORIGIN_HEADER, DeadLetterMetadata, metadata_headers
from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.events.dead_letter import DeadLetter, letter_of_record
from signal_pipeline.events.kafka import KafkaRecord
from tests.support.dead_letters import failure_metadata

__all__ = ["failure", "letter"]

NOW = datetime.now(UTC)


def failure(event_id: UUID, offset: int, failure_class: FailureClass = FailureClass.UNEXPECTED) -> DeadLetterMetadata:
    """Return the metadata of a record that process-signal failed on."""
    return failure_metadata(
        failure_class, partition=event_id.int % 6, offset=offset, last_failed_at=NOW, first_failed_at=NOW
    )


def letter(event_id: UUID, metadata: DeadLetterMetadata, origin: UUID | None = None) -> DeadLetter:
    """Return the dead letter of an event, which was replayed from another dead letter when an origin is given."""
    headers: tuple[tuple[str, bytes], ...] = (
        ("ce_specversion", b"1.0"),
        ("ce_id", str(event_id).encode()),
        ("ce_source", b"test"),
        ("ce_type", b"click"),
    )
    if origin is not None:
        headers += ((ORIGIN_HEADER, str(origin).encode()),)
    record = KafkaRecord("signal-events-dlq", 0, 0, 0, b"key", b'{"a":1}', (*headers, *metadata_headers(metadata)))
    return letter_of_record(record, now=NOW)
