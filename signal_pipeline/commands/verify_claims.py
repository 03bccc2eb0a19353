"""What the audit looks for, record by record. Pure.

A record is decided upon by the same code as in the functions: its identity is the row it must have become. A record
that is no signal has no identity, and is looked for by its place: the dead letter of the record at that place.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from signal_pipeline.domain.dead_letters import ORIGIN_HEADER, DeadLetterMetadata, dead_letter_id, original_headers
from signal_pipeline.domain.failures import Failure
from signal_pipeline.domain.signals import signal_of
from signal_pipeline.errors import InvalidEvent
from signal_pipeline.events.dead_letter import DeadLetter, letter_of_record
from signal_pipeline.events.dead_letter_metadata import read_metadata, uuid_or_none
from signal_pipeline.events.kafka import KafkaRecord, decode_record

__all__ = ["Claim", "claim_of", "failure_id", "letter_keys", "may_be_purged", "name_of", "origin_id"]

_WRITER: Final = "process-signal"
_DETECTOR: Final = "detect-anomaly"
# A duplicate of a purged signal that was sent soon after it left no row of its own.
_DUPLICATES_WITHIN: Final = timedelta(minutes=5)


class Claim(NamedTuple):
    """A record that must be accounted for; a tuple, because an audit makes a million.

    Attributes:
        record: The record.
        signal_id: The row that it must have become; None when it is no signal.
        source: Source of that row.
    """

    record: KafkaRecord
    signal_id: UUID | None
    source: str | None


def claim_of(record: KafkaRecord) -> Claim:
    """Return what must be found of a record."""
    now = datetime.now(UTC)  # stands in for a time that is absent, and does not enter the identity
    try:
        signal = signal_of(decode_record(record, source=_WRITER), accepted_at=now)
    except InvalidEvent:
        return Claim(record, None, None)
    if isinstance(signal, Failure):
        return Claim(record, None, None)
    return Claim(record, signal.id, signal.source)


def failure_id(record: KafkaRecord) -> UUID:
    """Return the id of the dead letter that process-signal's trigger makes of this record."""
    return dead_letter_id(group=_WRITER, topic=record.topic, partition=record.partition, offset=record.offset)


def origin_id(record: KafkaRecord) -> UUID | None:
    """Return the dead letter that a record says it was replayed from; None when it says nothing."""
    values = [value for name, value in record.headers if name == ORIGIN_HEADER and value is not None]
    return uuid_or_none(values[-1].decode("ascii", "replace")) if values else None


def letter_keys(letters: Sequence[KafkaRecord]) -> list[UUID]:
    """Return the keys under which records of a dead-letter topic account for others: failures, and signals.

    A dead letter of detect-anomaly does not account for a signal: it says nothing about storing it.
    """
    now = datetime.now(UTC)
    keys = list[UUID]()
    for record in letters:
        letter = letter_of_record(record, now=now)
        layers = _layers(letter, now)
        keys += [metadata.id for metadata in layers]
        if letter.signal_id is not None and layers[-1].group != _DETECTOR:
            keys.append(letter.signal_id)
    return keys


def _layers(letter: DeadLetter, now: datetime) -> list[DeadLetterMetadata]:
    """Return what a dead letter says of itself, and what the dead letter said that it is made of, and so on.

    A dead letter that replay-dlq could not record was given up in its turn, with metadata behind those that it had.
    """
    layers, headers = [letter.metadata], letter.headers
    while len(inner := original_headers(headers)) < len(headers):
        ours = headers[len(inner) :]
        said = read_metadata({name: (value or b"").decode(errors="replace") for name, value in ours}, now=now)
        if said is not None:
            layers.append(said)
        headers = inner
    return layers


def may_be_purged(record: KafkaRecord, purged_before: datetime | None, *, stored_since: datetime | None = None) -> bool:
    """Tell whether the row of a record may have been purged.

    Args:
        record: A record that is not found.
        purged_before: Rows that arrived before this may be gone; None when nothing was purged.
        stored_since: When its event came first, if the record is a replay of one that was stored already.
    """
    if purged_before is None:
        return False
    came = record.timestamp_ms / 1000
    if stored_since is not None:
        came = min(came, stored_since.timestamp())
    return came < (purged_before + _DUPLICATES_WITHIN).timestamp()


def name_of(claim: Claim) -> str:
    """Name a record so that a person finds it: its place, and who it is."""
    record = claim.record
    place = f"{record.topic} partition {record.partition} offset {record.offset}"
    if claim.signal_id is None:
        return f"{place}: no signal, and no dead letter {failure_id(record)}"
    return f"{place}: signal {claim.signal_id} of source {claim.source}"
