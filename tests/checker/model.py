"""What the checker compares: what was sent, and what is found in PostgreSQL and Kafka afterwards. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from tests.checker.history import Part

__all__ = [
    "Anomaly",
    "OutboxRow",
    "Outcome",
    "Position",
    "RawRecord",
    "Row",
    "Sent",
    "Snapshot",
    "Version",
]

Headers = tuple[tuple[str, bytes | None], ...]


class Outcome(StrEnum):
    """What the sender was told."""

    OK = "ok"  # acknowledged: the event is the pipeline's responsibility
    FAIL = "fail"  # definitely refused: the event must leave no trace
    UNKNOWN = "unknown"  # no answer, or one that says so: both are right


@dataclass(frozen=True, kw_only=True, order=True)
class Position:
    """Where a record lies in Kafka."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, kw_only=True)
class RawRecord:
    """One Kafka record.

    Attributes:
        key: Key, byte for byte.
        value: Value, byte for byte; None is a tombstone.
        headers: Headers in order, repetitions included.
        position: Where it lies; None for a record that was never placed.
    """

    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    position: Position | None = None


@dataclass(frozen=True, kw_only=True)
class Version:
    """One sent form of a signal, as its row must show it.

    Attributes:
        row_id: Identity of the event, which is the row's primary key.
        source: Source of the event.
        type: Type of the event.
        user_id: The subject, or the extension `userid`; None when there is neither.
        time: When it happened; None when the event does not say, and the time of acceptance counts.
        payload: The data as a JSON value.
        extensions: Extension attributes that the row must keep.
    """

    row_id: UUID
    source: str
    type: str
    user_id: str | None
    time: datetime | None
    payload: Any
    extensions: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One line of the ledger: an event or a raw record, and what came of sending it.

    Attributes:
        number: Number of the attempt in its ledger.
        outcome: What the sender was told.
        version: The event as a signal; None for a record that is no event.
        record: What was written to Kafka directly; None for what went through emit.
        poison: Whether it must end in the dead-letter topic, and not in a table of signals.
    """

    number: int
    outcome: Outcome
    version: Version | None = None
    record: RawRecord | None = None
    poison: bool = False


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of `signals`."""

    id: UUID
    source: str | None
    type: str | None
    user_id: str | None
    event_ts: datetime | None
    payload: Any
    extensions: Mapping[str, Any] | None
    stored_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Anomaly:
    """One row of `anomalies`."""

    id: UUID
    signal_id: UUID
    rule: str
    detected_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class OutboxRow:
    """One row of `outbox_events`."""

    id: UUID
    aggregate_id: str
    payload: Any
    stamped: bool


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What is there. The tables are read in one transaction, the topics after it.

    Attributes:
        rows: Signals in scope.
        anomalies: Anomalies of signals in scope.
        outbox: Outbox rows of those anomalies, or that name a signal in scope.
        published: Records of `anomaly-events`; None when Kafka was not read.
        dead: Records of the dead-letter topic.
        quarantined: Records of the quarantine topic.
        recorded: Original positions of the rows of `dead_letters`.
        superseded: Versions that were stored until a newer one replaced them.
        log: Records of `signal-events` since an observation began.
        ends: Committed offset, if any, and log end of each group and partition.
    """

    rows: tuple[Row, ...] = ()
    anomalies: tuple[Anomaly, ...] = ()
    outbox: tuple[OutboxRow, ...] = ()
    published: tuple[RawRecord, ...] | None = ()
    dead: tuple[RawRecord, ...] = ()
    quarantined: tuple[RawRecord, ...] = ()
    recorded: tuple[Position, ...] = ()
    superseded: tuple[Row, ...] = ()
    log: tuple[RawRecord, ...] = ()
    ends: Mapping[Part, tuple[int | None, int]] = field(default_factory=dict)
