"""The table of dead letters.

    recorded ──▶ scheduled ──due──▶ leased ──published──▶ replayed ──fails again──▶ scheduled, one attempt more
        │            ▲                 ├─ its effect exists ──▶ resolved
        │            └── lease over ───┤
        └─ never by itself ──▶ quarantined ◀─ attempts used up

When a row is due, and when its attempts are used up, is decided in the domain; here it is only written.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from signal_pipeline.domain.dead_letters import DeadLetterMetadata, sanitised
from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.store.pool import Pool
from signal_pipeline.store.queries import query

__all__ = [
    "DeadLetterRow",
    "DueDeadLetter",
    "Headers",
    "KnownFailures",
    "Recorded",
    "digest",
    "due_dead_letter",
    "mark_quarantined",
    "mark_replayed",
    "mark_resolved",
    "record_dead_letters",
    "recorded_failures",
    "take_due",
]

Headers = tuple[tuple[str, bytes | None], ...]

# Long enough to publish a batch to a slow broker, short enough that a killed replay costs no one an hour.
_LEASE = timedelta(minutes=2)
_LATEST_TIMESTAMP_MS = 253_402_300_799_000  # the end of the year 9999


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetterRow:
    """A failure to record.

    Attributes:
        metadata: Where the record came from and why it failed; `metadata.id` is the failure, recorded once.
        origin: The dead letter that the record says it was replayed from; believed only with the same digest.
        key: Its key, byte for byte.
        value: Its value, byte for byte.
        headers: Its original headers in order, byte for byte.
        event_id: CloudEvents id, when it can be read.
        event_source: CloudEvents source, when it can be read.
        signal_id: Key in table signals, when the identity can be read.
        next_attempt_at: When it is due; None puts it into quarantine.
    """

    metadata: DeadLetterMetadata
    origin: UUID | None
    key: bytes | None
    value: bytes | None
    headers: Headers
    event_id: str | None
    event_source: str | None
    signal_id: UUID | None
    next_attempt_at: datetime | None

    @property
    def sha256(self) -> bytes:
        """Digest of key and value, by which a replayed record proves what it was replayed from."""
        return digest(self.key, self.value)


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownFailures:
    """What is counted for a dead letter.

    Attributes:
        attempts: Number of failures, across replays.
        ids: Their ids: a failure among them was counted before.
    """

    attempts: int
    ids: frozenset[UUID]


@dataclass(frozen=True, kw_only=True, slots=True)
class Recorded:
    """What recording changed.

    Attributes:
        inserted: Dead letters that are new.
        counted: Dead letters known before that failed again.
    """

    inserted: int
    counted: int


@dataclass(frozen=True, kw_only=True, slots=True)
class DueDeadLetter:
    """A dead letter taken for replay.

    Attributes:
        dlq_id: Its id; the replayed record carries it.
        topic: Where the record came from and goes to.
        key: Its key, byte for byte.
        value: Its value, byte for byte.
        headers: Its headers in order, byte for byte.
        sha256: Digest of key and value.
        signal_id: Key in table signals, when the identity can be read.
        consumer_group: Group that gave it up.
        failure_class: Why it failed last.
        attempts: Failures counted so far.
        traceparent: Trace context of the event.
        first_failed_at: Its first failure.
    """

    dlq_id: UUID
    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    sha256: bytes
    signal_id: UUID | None
    consumer_group: str
    failure_class: FailureClass
    attempts: int
    traceparent: str | None
    first_failed_at: datetime


def digest(key: bytes | None, value: bytes | None) -> bytes:
    """Return the digest of a record; the key's length keeps ("ab", "c") and ("a", "bc") apart, and None from empty."""
    length = -1 if key is None else len(key)
    return hashlib.sha256(length.to_bytes(8, signed=True) + (key or b"") + (value or b"")).digest()


async def record_dead_letters(pool: Pool, rows: Sequence[DeadLetterRow]) -> Recorded:
    """Record failures, all or none; recording one again changes nothing. `StoreError` when nothing was recorded."""
    if not rows:
        return Recorded(inserted=0, counted=0)
    async with pool.connection() as connection:
        cursor = await connection.execute(query("record_dead_letters"), _columns(rows))
        inserted, counted = await cursor.fetchone() or (0, 0)
        return Recorded(inserted=inserted, counted=counted)


async def recorded_failures(pool: Pool, claims: Sequence[tuple[UUID, bytes]]) -> dict[UUID, KnownFailures]:
    """Return what is counted for each claimed dead letter whose digest is the recorded one."""
    if not claims:
        return {}
    columns = {"ids": [claim for claim, _ in claims], "digests": [content for _, content in claims]}
    async with pool.connection() as connection:
        cursor = await connection.execute(query("recorded_failures"), columns, binary=True)
        return {row[0]: KnownFailures(attempts=row[1], ids=frozenset(row[2])) for row in await cursor.fetchall()}


async def take_due(pool: Pool, limit: int, now: datetime, *, lease: timedelta = _LEASE) -> list[DueDeadLetter]:
    """Take up to `limit` due dead letters; nobody else gets them until the lease is over or they are marked."""
    parameters = {"now": now, "limit": limit, "leased_until": now + lease}
    async with pool.connection() as connection:
        cursor = await connection.execute(query("take_due_dead_letters"), parameters)
        return [due_dead_letter(row) for row in await cursor.fetchall()]


async def mark_replayed(pool: Pool, letters: Iterable[DueDeadLetter]) -> int:
    """Note that these were published again, after the broker's acknowledgement; return how many were noted.

    One that has failed again since it was taken is due again, and stays so; the same holds for the other marks.
    """
    return await _settle(pool, letters, "replayed")


async def mark_resolved(pool: Pool, letters: Iterable[DueDeadLetter]) -> int:
    """Note that the effect of these exists, so they need no replay; return how many were noted."""
    return await _settle(pool, letters, "resolved")


async def mark_quarantined(pool: Pool, letters: Iterable[DueDeadLetter]) -> int:
    """Take these out of automatic replay for good; return how many were noted."""
    return await _settle(pool, letters, "quarantined")


async def _settle(pool: Pool, letters: Iterable[DueDeadLetter], status: str) -> int:
    taken = list(letters)
    columns = {"ids": [one.dlq_id for one in taken], "attempts": [one.attempts for one in taken], "status": status}
    async with pool.connection() as connection:
        cursor = await connection.execute(query("settle_dead_letters"), columns)
        return cursor.rowcount


def _columns(rows: Sequence[DeadLetterRow]) -> dict[str, list[Any]]:
    metadata = [row.metadata for row in rows]
    return {
        "failure_ids": [meta.id for meta in metadata],
        "claimed_ids": [row.origin for row in rows],
        "topics": [meta.topic for meta in metadata],
        "partitions": [meta.partition for meta in metadata],
        "offsets": [meta.offset for meta in metadata],
        "timestamps": [_instant(meta.timestamp_ms) for meta in metadata],
        "keys": [row.key for row in rows],
        "values": [row.value for row in rows],
        "headers": [_encoded(row.headers) for row in rows],
        "digests": [row.sha256 for row in rows],
        "event_ids": [_storable(row.event_id) for row in rows],
        "event_sources": [_storable(row.event_source) for row in rows],
        "signal_ids": [row.signal_id for row in rows],
        "classes": [meta.failure_class.value for meta in metadata],
        "codes": [sanitised(meta.code) for meta in metadata],
        "messages": [sanitised(meta.message) for meta in metadata],
        "dispositions": [meta.disposition.value for meta in metadata],
        "first_failed": [meta.first_failed_at for meta in metadata],
        "last_failed": [meta.last_failed_at for meta in metadata],
        "groups": [sanitised(meta.group) for meta in metadata],
        "functions": [_storable(meta.function) for meta in metadata],
        "builds": [_storable(meta.build) for meta in metadata],
        "traceparents": [_storable(meta.traceparent) for meta in metadata],
        "statuses": ["quarantined" if row.next_attempt_at is None else "scheduled" for row in rows],
        "next_attempts": [row.next_attempt_at for row in rows],
    }


def _instant(timestamp_ms: int) -> datetime | None:
    """Return a broker timestamp; Kafka writes -1 for none, and a forged one may lie beyond any calendar."""
    if not 0 <= timestamp_ms <= _LATEST_TIMESTAMP_MS:
        return None
    return datetime.fromtimestamp(timestamp_ms / 1000, UTC)


def _storable(text: str | None) -> str | None:
    """Return text that a column can hold: what is read out of garbage may hold anything."""
    return sanitised(text) if text else None


def _encoded(headers: Headers) -> str:
    return json.dumps([[name, None if value is None else base64.b64encode(value).decode()] for name, value in headers])


def _decoded(headers: list[list[Any]]) -> Headers:
    return tuple((name, None if value is None else base64.b64decode(value)) for name, value in headers)


def due_dead_letter(row: tuple[Any, ...]) -> DueDeadLetter:
    """Return a dead letter from the columns that `take_due_dead_letters` and `job_letters` give."""
    return DueDeadLetter(
        dlq_id=row[0],
        topic=row[1],
        key=row[2],
        value=row[3],
        headers=_decoded(row[4]),
        sha256=row[5],
        signal_id=row[6],
        consumer_group=row[7],
        failure_class=FailureClass(row[8]),
        attempts=row[9],
        traceparent=row[10],
        first_failed_at=row[11],
    )
