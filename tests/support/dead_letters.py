"""Dead letters: what the trigger of process-signal writes about a record, and what Knative would."""

import uuid
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import Producer

from signal_pipeline.domain.dead_letters import DeadLetterMetadata, disposition_of, metadata_headers
from signal_pipeline.domain.failures import FailureClass
from tests.checker.model import RawRecord
from tests.support.pipeline import Pipeline

__all__ = ["dead_letter", "failure_metadata", "knative_letter", "write_dead_letters"]


def failure_metadata(failure_class: FailureClass = FailureClass.UNEXPECTED, **parts: Any) -> DeadLetterMetadata:
    """Return what process-signal's trigger says of a record that failed just now; parts replace what stands here.

    Without an offset the record lies at a place that no other record has.
    """
    now = datetime.now(UTC)
    default = {
        "topic": "signal-events",
        "partition": 0,
        "offset": uuid.uuid4().int % 2**62,
        "timestamp_ms": int(now.timestamp() * 1000),
        "code": "500",
        "message": "made by a test",
        "attempts": 5,
        "first_failed_at": now,
        "last_failed_at": now,
        "group": "process-signal",
        "function": "process-signal",
        "build": "test",
        "disposition": disposition_of(failure_class),
    }
    return DeadLetterMetadata(failure_class=failure_class, **{**default, **parts})


def dead_letter(record: RawRecord, failure_class: FailureClass, code: str = "500") -> RawRecord:
    """Return the dead letter that the trigger of process-signal would write of a record."""
    metadata = metadata_headers(failure_metadata(failure_class, code=code))
    return RawRecord(key=record.key, value=record.value, headers=(*record.headers, *metadata))


def knative_letter(record: RawRecord, code: str) -> RawRecord:
    """Return the dead letter that Knative would write of a record after an answer with this status."""
    said = {"dest": "http://process-signal.default.svc/", "code": code, "data": "made by a test"}
    headers = tuple((f"ce_knativeerror{name}", value.encode()) for name, value in said.items())
    return RawRecord(key=record.key, value=record.value, headers=(*record.headers, *headers))


def write_dead_letters(pipeline: Pipeline, *letters: RawRecord) -> None:
    """Write records to the dead-letter topic."""
    producer = Producer(pipeline.broker)
    for letter in letters:
        producer.produce("signal-events-dlq", letter.value, letter.key, headers=list(letter.headers))
    assert producer.flush(10) == 0
