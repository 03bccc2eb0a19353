"""What a dead letter says about itself, and under which names.

A dead letter is the original record, key, value and headers byte for byte, followed by the headers of `NAMES`, always
all of them and always in this order. The last sixteen headers are therefore ours and everything before them is
original, even when a forged header of the same name stands there.

The names are those of CloudEvents extensions in Kafka binary mode. A Knative KafkaSource on the dead-letter topic
keeps only `ce_*` headers of an event: they arrive as extensions `dlqid`, `dlqclass` and so on. Of a plain record it
makes extensions of all headers with other characters removed: `ce_dlqid` arrives as `kafkaheadercedlqid`. Either way
the metadata can be read, and neither form changes the id and source of the event.

A record that replay published again carries the id of the dead letter it came from in `ce_dlqorigin`. It belongs to
the original headers of whatever happens to it next, so that a repeated failure is counted against the same row.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final
from uuid import UUID, uuid5

from signal_pipeline.domain.failures import FailureClass

__all__ = [
    "DEAD_LETTER_NAMESPACE",
    "MAX_MESSAGE_BYTES",
    "NAMES",
    "ORIGIN_HEADER",
    "DeadLetterMetadata",
    "Disposition",
    "dead_letter_id",
    "disposition_of",
    "metadata_headers",
    "original_headers",
    "sanitised",
]

DEAD_LETTER_NAMESPACE: Final = UUID("6f1d7f0c-3f0b-5f3e-9d53-6a1c0f6c2b7e")
MAX_MESSAGE_BYTES: Final = 1024
ORIGIN_HEADER: Final = "ce_dlqorigin"

NAMES: Final = (
    "ce_dlqid",
    "ce_dlqtopic",
    "ce_dlqpartition",
    "ce_dlqoffset",
    "ce_dlqtimestamp",
    "ce_dlqclass",
    "ce_dlqcode",
    "ce_dlqmessage",
    "ce_dlqattempts",
    "ce_dlqfirsttime",
    "ce_dlqlasttime",
    "ce_dlqgroup",
    "ce_dlqfunction",
    "ce_dlqbuild",
    "ce_dlqdisposition",
    "ce_dlqtraceparent",
)


class Disposition(StrEnum):
    """Why a record was given up."""

    POISON = "poison"  # invalid: can never work
    REJECTED = "rejected"  # the database refused it
    EXHAUSTED = "exhausted"  # failed as often as it may
    EXPIRED = "expired"  # older than the trigger delivers


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetterMetadata:
    """Where a dead letter came from and why.

    Attributes:
        topic: Topic of the original record.
        partition: Its partition.
        offset: Its offset.
        timestamp_ms: Its timestamp, milliseconds since 1970.
        failure_class: Class of the last failure.
        code: SQLSTATE, HTTP status or word of the last failure.
        message: Its one sentence.
        attempts: Deliveries made of this record, at least one.
        first_failed_at: Time of the first failure, UTC.
        last_failed_at: Time of the last failure, UTC.
        group: Consumer group that gave up.
        function: Function that refused.
        build: Version of the trigger's code.
        disposition: Why it was given up.
        traceparent: W3C trace context of the event; empty when it had none.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    failure_class: FailureClass
    code: str
    message: str
    attempts: int
    first_failed_at: datetime
    last_failed_at: datetime
    group: str
    function: str
    build: str
    disposition: Disposition
    traceparent: str = ""

    @property
    def id(self) -> UUID:
        """Identity of the dead letter: the same record given up twice by the same group is one dead letter."""
        return dead_letter_id(group=self.group, topic=self.topic, partition=self.partition, offset=self.offset)


def dead_letter_id(*, group: str, topic: str, partition: int, offset: int) -> UUID:
    """Return the id of the dead letter that a consumer group makes of the record at this place."""
    return uuid5(DEAD_LETTER_NAMESPACE, json.dumps([group, topic, partition, offset], separators=(",", ":")))


_DISPOSITIONS: Final = {FailureClass.INVALID: Disposition.POISON, FailureClass.REJECTED: Disposition.REJECTED}


def disposition_of(failure_class: FailureClass) -> Disposition:
    """Return why a record that failed with this class is given up."""
    return _DISPOSITIONS.get(failure_class, Disposition.EXHAUSTED)


def metadata_headers(metadata: DeadLetterMetadata) -> tuple[tuple[str, bytes], ...]:
    """Write the metadata as the headers of `NAMES`, in their order."""
    values = (
        str(metadata.id),
        metadata.topic,
        str(metadata.partition),
        str(metadata.offset),
        str(metadata.timestamp_ms),
        metadata.failure_class.value,
        sanitised(metadata.code),
        sanitised(metadata.message),
        str(metadata.attempts),
        _instant(metadata.first_failed_at),
        _instant(metadata.last_failed_at),
        metadata.group,
        metadata.function,
        metadata.build,
        metadata.disposition.value,
        sanitised(metadata.traceparent),
    )
    return tuple((name, value.encode()) for name, value in zip(NAMES, values, strict=True))


def original_headers(headers: Sequence[tuple[str, bytes | None]]) -> tuple[tuple[str, bytes | None], ...]:
    """Return the headers that the record had before it became a dead letter.

    A record without our metadata, such as one that Knative dead-lettered, is returned whole.
    """
    start = len(headers) - len(NAMES)
    if start < 0 or tuple(name for name, _ in headers[start:]) != NAMES:
        return tuple(headers)
    return tuple(headers[:start])


def sanitised(text: str) -> str:
    r"""Return text that fits a header: no control characters, at most `MAX_MESSAGE_BYTES` of UTF-8.

    >>> sanitised("first\nsecond")
    'first second'
    """
    printable = "".join(character if character.isprintable() else " " for character in text[:MAX_MESSAGE_BYTES])
    return printable.encode("utf-8", "replace")[:MAX_MESSAGE_BYTES].decode("utf-8", "ignore")


def _instant(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
