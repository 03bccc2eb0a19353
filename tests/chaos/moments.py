"""The worst moments to die at, as a table: where the conversation is stopped, who dies, what is known by then.

function ═▶ PostgreSQL   before the statement, in the middle of a batch, before COMMIT, after it
trigger  ═▶ function     after the poll, after the function stored
trigger  ═▶ Kafka        before and after a dead letter's ack, before and after the offset
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from itertools import count

from tests.support.proxy_wires import Frame, Side

__all__ = [
    "FUNCTION_MOMENTS",
    "RECORD_MOMENTS",
    "TICK_MOMENTS",
    "TRIGGER_MOMENTS",
    "FunctionMoment",
    "Link",
    "RecordMoment",
    "TickMoment",
    "TriggerMoment",
    "end_of",
    "kafka",
    "second",
    "sql",
]

Matches = Callable[[Frame], bool]


def sql(side: Side, text: bytes) -> Matches:
    """Match a statement, or the server's word that it is ready for the next one, which it says after a commit."""
    kinds = "QP" if side is Side.CLIENT else "Z"
    return lambda frame: frame.side is side and frame.kind in kinds and text in frame.request


def kafka(side: Side, api: str, content: bytes = b"") -> Matches:
    """Match a request with this content, or its answer."""
    return lambda frame: frame.side is side and frame.kind == api and content in frame.request


def second(matches: Matches) -> Matches:
    """Match all but the first of a kind."""
    seen = count()
    return lambda frame: matches(frame) and next(seen) > 0


def _http(side: Side) -> Matches:
    """Match a delivery, or its answer."""
    return lambda frame: frame.side is side and frame.request.startswith(b"POST / ")


@dataclass(frozen=True, kw_only=True)
class FunctionMoment:
    """A function dies; its trigger delivers the batch again to the next one.

    Attributes:
        name: What is said of it.
        role: The function.
        stops: Where its conversation with PostgreSQL is stopped.
        stored: Whether the batch is durable by then.
        versions: Whether an id stands twice in the batch, which makes it one transaction of several statements.
    """

    name: str
    role: str
    stops: Matches
    stored: bool
    versions: bool = False


@dataclass(frozen=True, kw_only=True)
class TickMoment:
    """replay-dlq dies in a tick; the next one does what is due.

    Attributes:
        name: What is said of it.
        stops: Where its conversation with PostgreSQL is stopped, after the records were acknowledged.
        unpublished: Stops the records on their way to Kafka instead.
        waiting: Dead letters that are not marked by then.
        published: How often each record is on its topic in the end.
    """

    name: str
    stops: Matches
    waiting: int
    published: int
    unpublished: bool = False


@dataclass(frozen=True, kw_only=True)
class RecordMoment:
    """replay-dlq dies while it records dead letters that nobody can use; its trigger delivers them again.

    Attributes:
        name: What is said of it.
        stops: Where its conversation with PostgreSQL is stopped.
        rows: Recorded dead letters by then.
        quarantined: Records that each has in quarantine in the end; two have one id.
    """

    name: str
    stops: Matches
    rows: int
    quarantined: int


class Link(StrEnum):
    """A link of a trigger."""

    HTTP = "http"
    BROKER = "broker"


@dataclass(frozen=True, kw_only=True)
class TriggerMoment:
    """A trigger dies; the next one begins at the committed offset.

    Attributes:
        name: What is said of it.
        link: What is stopped.
        stops: Where, given partition and end of the batch as they stand in an OffsetCommit request.
        stored: Whether the batch is stored by then.
        delivered: How often the function stores each event in all: 2 when it is delivered again after it was stored.
        letters: Records that the poison has on the dead-letter topic; two have one id and become one row.
    """

    name: str
    link: Link
    stops: Callable[[bytes], Matches]
    stored: bool
    delivered: int
    letters: int = 1


def end_of(partition: int, offset: int) -> bytes:
    """Return a partition and an offset as an OffsetCommit request has them."""
    return struct.pack(">iq", partition, offset)


_SIGNALS, _ANOMALIES = b"INSERT INTO signals", b"INSERT INTO anomalies"

FUNCTION_MOMENTS = (
    FunctionMoment(
        name="process-signal-before-the-write",
        role="process-signal",
        stops=sql(Side.CLIENT, _SIGNALS),
        stored=False,
    ),
    FunctionMoment(
        name="process-signal-in-the-middle-of-a-batch",
        role="process-signal",
        stops=sql(Side.CLIENT, b"RELEASE"),
        stored=False,
        versions=True,
    ),
    FunctionMoment(
        name="process-signal-before-commit",
        role="process-signal",
        stops=sql(Side.CLIENT, b"COMMIT"),
        stored=False,
        versions=True,
    ),
    FunctionMoment(
        name="process-signal-after-commit-before-the-reply",
        role="process-signal",
        stops=sql(Side.SERVER, _SIGNALS),
        stored=True,
    ),
    FunctionMoment(
        name="detect-anomaly-between-signals-and-anomalies",
        role="detect-anomaly",
        stops=sql(Side.CLIENT, _ANOMALIES),
        stored=False,
    ),
    FunctionMoment(
        name="detect-anomaly-before-commit",
        role="detect-anomaly",
        stops=sql(Side.CLIENT, b"COMMIT"),
        stored=False,
    ),
    FunctionMoment(
        name="detect-anomaly-after-commit-before-the-reply",
        role="detect-anomaly",
        stops=sql(Side.SERVER, b"COMMIT"),
        stored=True,
    ),
)

TRIGGER_MOMENTS = (
    TriggerMoment(
        name="after-the-poll",
        link=Link.HTTP,
        stops=lambda _: _http(Side.CLIENT),
        stored=False,
        delivered=1,
    ),
    TriggerMoment(
        name="after-the-function-stored",
        link=Link.HTTP,
        stops=lambda _: _http(Side.SERVER),
        stored=True,
        delivered=2,
    ),
    TriggerMoment(
        name="before-the-dead-letter",
        link=Link.BROKER,
        stops=lambda _: kafka(Side.CLIENT, "Produce"),
        stored=True,
        delivered=2,
    ),
    TriggerMoment(
        name="after-the-dead-letter-before-its-ack",
        link=Link.BROKER,
        stops=lambda _: kafka(Side.SERVER, "Produce"),
        stored=True,
        delivered=2,
        letters=2,
    ),
    TriggerMoment(
        name="after-the-answer-before-the-offset",
        link=Link.BROKER,
        stops=lambda end: kafka(Side.CLIENT, "OffsetCommit", end),
        stored=True,
        delivered=2,
        letters=2,
    ),
    TriggerMoment(
        name="after-the-offset-before-its-ack",
        link=Link.BROKER,
        stops=lambda end: kafka(Side.SERVER, "OffsetCommit", end),
        stored=True,
        delivered=1,
    ),
)

_MARK, _RECORD = b"SET status", b"INSERT INTO dead_letters"

TICK_MOMENTS = (
    TickMoment(name="before-the-publication", stops=sql(Side.CLIENT, _MARK), waiting=20, published=1, unpublished=True),
    TickMoment(name="after-the-ack-before-the-mark", stops=sql(Side.CLIENT, _MARK), waiting=20, published=2),
    TickMoment(name="after-the-mark-before-its-reply", stops=sql(Side.SERVER, _MARK), waiting=0, published=1),
)

RECORD_MOMENTS = (
    RecordMoment(name="after-quarantine-before-the-row", stops=sql(Side.CLIENT, _RECORD), rows=0, quarantined=2),
    RecordMoment(name="after-the-row-before-the-reply", stops=sql(Side.SERVER, _RECORD), rows=5, quarantined=1),
)
