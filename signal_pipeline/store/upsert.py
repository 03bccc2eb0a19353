"""Writes batches of signals: each input gets its own outcome, whatever its neighbours are.

    signals ──all ids different──▶ one statement ──all inserted──▶ done, in one round trip
       │                               │    └─ fewer: ask why, in a second statement
       │                               └─ refused: nothing was written, go on below
       └─an id occurs twice, or refused──▶ one transaction ──▶ rounds ──▶ halves until a culprit stands alone

Rounds: the first round holds the first version of every id, the second round the second, … Written one after the
other they give exactly what the versions would have given one by one, in whatever batches they came.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from signal_pipeline.domain.failures import Failure, FailureClass
from signal_pipeline.domain.signals import Signal
from signal_pipeline.store.errors import failure_of, is_rejected
from signal_pipeline.store.queries import query

__all__ = ["ACCEPTED", "Outcome", "StoredSignals", "write_in_transaction", "write_signals"]

_Connection = AsyncConnection[tuple[Any, ...]]


class Outcome(StrEnum):
    """What became of one version of a signal."""

    INSERTED = "inserted"
    UPDATED = "updated"  # newer and different: it replaced the stored version
    UNCHANGED = "unchanged"  # this very version is stored, or was and has been replaced
    REPEATED = "repeated"  # the stored content under another time: nothing to write
    STALE = "stale"  # other content, not newer: the stored version stays
    IDENTITY_CONFLICT = "identity_conflict"  # the id belongs to another source
    REFUSED = "refused"  # PostgreSQL cannot hold it


# The versions that are, or were, the row: the ones whose anomalies count.
ACCEPTED = frozenset({Outcome.INSERTED, Outcome.UPDATED, Outcome.UNCHANGED})

_CONFLICT = Failure(
    failure_class=FailureClass.REJECTED,
    code="identity_conflict",
    detail="the id is a UUID that another source has used",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredSignals:
    """What became of a batch.

    Attributes:
        outcomes: One per signal, in the order of the batch.
        failures: Why a signal was not stored, by its index in the batch; the others are durable.
    """

    outcomes: tuple[Outcome, ...]
    failures: Mapping[int, Failure]

    def count(self, outcome: Outcome) -> int:
        """Return how many signals had this outcome."""
        return self.outcomes.count(outcome)


async def write_signals(connection: _Connection, signals: Sequence[Signal]) -> StoredSignals:
    """Write a batch on an autocommit connection: one statement, or one transaction when that does not do."""
    if _ids_differ(signals):
        try:
            return _result(signals, await _write_once(connection, signals))
        except Exception as exc:
            if not is_rejected(exc):
                raise
    async with connection.transaction():
        return await write_in_transaction(connection, signals)


async def write_in_transaction(connection: _Connection, signals: Sequence[Signal]) -> StoredSignals:
    """Write a batch in the caller's transaction; the rows of accepted signals stay locked until it ends."""
    outcomes: dict[int, Outcome | Failure] = {}
    rounds, echoes = _rounds(signals)
    for indexes in rounds:
        await _write_halves(connection, signals, indexes, outcomes)
    for index, original in echoes.items():
        verdict = outcomes[original]
        outcomes[index] = Outcome.UNCHANGED if verdict in ACCEPTED else verdict
    return _result(signals, outcomes)


def _ids_differ(signals: Sequence[Signal]) -> bool:
    return len({signal.id.int for signal in signals}) == len(signals)


def _rounds(signals: Sequence[Signal]) -> tuple[list[list[int]], dict[int, int]]:
    """Return the indexes of each round, in the order in which the statement locks; and the echoes.

    An echo equals the version of its id before it, so it writes nothing and shares the fate of that one: a client that
    sends one event a thousand times costs one round and not a thousand.
    """
    rounds: list[list[int]] = []
    echoes: dict[int, int] = {}
    latest: dict[UUID, tuple[int, int]] = {}  # id → index of its latest version, and the round of that
    for index, signal in enumerate(signals):
        original, turn = latest.get(signal.id, (-1, -1))
        if original >= 0 and signals[original] == signal:
            echoes[index] = original
            continue
        latest[signal.id] = (index, turn + 1)
        if turn + 1 == len(rounds):
            rounds.append([])
        rounds[turn + 1].append(index)
    for indexes in rounds:
        indexes.sort(key=lambda index: signals[index].id.int)
    return rounds, echoes


async def _write_halves(
    connection: _Connection, signals: Sequence[Signal], indexes: Sequence[int], outcomes: dict[int, Outcome | Failure]
) -> None:
    """Write under a savepoint; when the data is refused, halve until each culprit stands alone."""
    part = [signals[index] for index in indexes]
    try:
        async with connection.transaction():
            written = await _write_once(connection, part)
    except Exception as exc:
        if not is_rejected(exc):
            raise
        if len(indexes) == 1:
            outcomes[indexes[0]] = failure_of(exc)
            return
        middle = len(indexes) // 2
        await _write_halves(connection, signals, indexes[:middle], outcomes)
        await _write_halves(connection, signals, indexes[middle:], outcomes)
    else:
        outcomes.update((index, written[position]) for position, index in enumerate(indexes))


async def _write_once(connection: _Connection, signals: Sequence[Signal]) -> Mapping[int, Outcome]:
    """Write signals whose ids all differ; return the outcome of each by its position."""
    cursor = await connection.execute(query("upsert_signals"), _columns(signals), binary=True)
    row = await cursor.fetchone()
    inserted, updated = row if row is not None else (None, None)
    if inserted is None:
        return dict.fromkeys(range(len(signals)), Outcome.INSERTED)
    known = dict.fromkeys(inserted, Outcome.INSERTED) | dict.fromkeys(updated, Outcome.UPDATED)
    rest = [signal for signal in signals if signal.id not in known]
    if rest:
        known |= await _classify(connection, rest)
    return {position: known[signal.id] for position, signal in enumerate(signals)}


async def _classify(connection: _Connection, signals: Sequence[Signal]) -> dict[UUID, Outcome]:
    cursor = await connection.execute(query("classify_signals"), _columns(signals), binary=True)
    return {signal_id: Outcome(outcome) for signal_id, outcome in await cursor.fetchall()}


def _columns(signals: Sequence[Signal]) -> dict[str, list[Any]]:
    return {
        "ids": [signal.id for signal in signals],
        "users": [signal.user_id for signal in signals],
        "sources": [signal.source for signal in signals],
        "types": [signal.type for signal in signals],
        "times": [signal.event_ts for signal in signals],
        "payloads": [signal.payload_json for signal in signals],
        "extensions": [signal.extensions_json for signal in signals],
    }


def _result(signals: Sequence[Signal], found: Mapping[int, Outcome | Failure]) -> StoredSignals:
    outcomes: list[Outcome] = []
    failures: dict[int, Failure] = {}
    for index in range(len(signals)):
        verdict = found[index]
        if isinstance(verdict, Failure):
            failures[index] = verdict
            outcomes.append(Outcome.REFUSED)
            continue
        if verdict is Outcome.IDENTITY_CONFLICT:
            failures[index] = _CONFLICT
        outcomes.append(verdict)
    return StoredSignals(outcomes=tuple(outcomes), failures=failures)
