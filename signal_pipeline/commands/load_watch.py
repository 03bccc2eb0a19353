"""Watches what becomes of a load: in the tables, in the offsets of the groups, and on `anomaly-events`."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

from psycopg.rows import class_row

from signal_pipeline.commands.kafka_offsets import KafkaOffsets, Range
from signal_pipeline.commands.kafka_reader import read_ranges
from signal_pipeline.commands.load_events import SentSignal
from signal_pipeline.settings import Settings
from signal_pipeline.store.pool import Pool
from signal_pipeline.store.queries import query
from signal_pipeline.topology import ANOMALY_EVENTS, SIGNAL_EVENTS

__all__ = ["Consequence", "LoadWatch"]

_IDS_PER_QUERY: Final = 5000
_GROUPS: Final = ("process-signal", "detect-anomaly")
_ID_HEADER: Final = "ce_id"

_Item = TypeVar("_Item")


@dataclass(frozen=True, kw_only=True, slots=True)
class Consequence:
    """An anomaly of the load, with one outbox row of it.

    Attributes:
        anomaly_id: The anomaly.
        outbox_id: Its outbox row; None when it has none.
    """

    anomaly_id: UUID
    outbox_id: UUID | None


class LoadWatch:
    """Watches one load; made before its first signal is sent, so that nothing of it is overlooked.

    Args:
        settings: Where everything is.
        pool: Connections to the database.
        source: The load's own source.
    """

    def __init__(self, settings: Settings, pool: Pool, source: str) -> None:
        self._settings = settings
        self._pool = pool
        self._source = source
        self._offsets = KafkaOffsets(settings)
        self._signals_from = _ends(self._offsets, SIGNAL_EVENTS.name)
        self._read_to = _ends(self._offsets, ANOMALY_EVENTS.name)
        self._signals_to: dict[int, int] = {}
        self._unstored: list[UUID] = []
        self.stored: dict[UUID, datetime] = {}
        self._event_ids: set[str] = set()

    def expect(self, signals: Sequence[SentSignal]) -> int:
        """Say, after the last signal is accepted, what was sent; return the records there are to process."""
        self._unstored = [signal.id for signal in signals]
        self._signals_to = _ends(self._offsets, SIGNAL_EVENTS.name)
        return sum(end - self._signals_from.get(number, 0) for number, end in self._signals_to.items())

    async def count_stored(self) -> int:
        """Return how many of the signals are rows; those found once are not looked up again."""
        for ids in _chunks(self._unstored):
            found = await self._stored_among(ids)
            self.stored |= found
            if len(found) < len(ids):
                break  # the rest was sent later: it is looked up when these have come
        self._unstored = [each for each in self._unstored if each not in self.stored]
        return len(self.stored)

    async def count_processed(self) -> int:
        """Return how many records, from the load's first on, both groups have committed."""
        return await asyncio.to_thread(self._processed)

    async def count_published(self, outbox_ids: frozenset[UUID]) -> int:
        """Return how many of the outbox rows have their event on anomaly-events, reading on from the last call."""
        await asyncio.to_thread(self._read_on)
        return sum(str(outbox_id) in self._event_ids for outbox_id in outbox_ids)

    async def count_confirmed(self, outbox_ids: frozenset[UUID]) -> int:
        """Return how many of the outbox rows are stamped."""
        confirmed = 0
        for ids in _chunks(list(outbox_ids)):
            confirmed += await self._count("load_confirmed", {"ids": list(ids)})
        return confirmed

    async def rows(self, since: datetime) -> int:
        """Return how many rows the source has among those stored since a time."""
        return await self._count("load_rows", {"since": since, "source": self._source})

    async def consequences(self, signals: Sequence[SentSignal]) -> list[Consequence]:
        """Return the anomalies of these signals with their outbox rows."""
        found: list[Consequence] = []
        for ids in _chunks([signal.id for signal in signals]):
            async with (
                self._pool.connection() as connection,
                connection.cursor(row_factory=class_row(Consequence)) as cursor,
            ):
                await cursor.execute(query("load_consequences"), {"ids": list(ids)})
                found += await cursor.fetchall()
        return found

    async def _count(self, name: str, parameters: Mapping[str, Any]) -> int:
        async with self._pool.connection() as connection:
            row = await (await connection.execute(query(name), parameters)).fetchone()
            return int(row[0]) if row else 0

    async def _stored_among(self, ids: Sequence[UUID]) -> dict[UUID, datetime]:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(query("load_stored"), {"ids": list(ids), "source": self._source})
            return dict(await cursor.fetchall())

    def _processed(self) -> int:
        groups = [self._offsets.committed(group, SIGNAL_EVENTS.name) for group in _GROUPS]
        processed = 0
        for number, end in self._signals_to.items():
            begin = self._signals_from.get(number, 0)
            reached = min(committed.get(number) or 0 for committed in groups)
            processed += min(max(reached - begin, 0), end - begin)
        return processed

    def _read_on(self) -> None:
        ends = _ends(self._offsets, ANOMALY_EVENTS.name)
        ranges = {number: Range(begin=self._read_to.get(number, 0), end=end) for number, end in ends.items()}
        for batch in read_ranges(self._settings, ANOMALY_EVENTS.name, ranges):
            self._event_ids.update(
                value.decode("utf-8", "replace")
                for record in batch
                for name, value in record.headers
                if name == _ID_HEADER and value is not None
            )
        self._read_to = ends


def _ends(offsets: KafkaOffsets, topic: str) -> dict[int, int]:
    return {number: held.end for number, held in offsets.ranges(topic).items()}


def _chunks(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    for start in range(0, len(items), _IDS_PER_QUERY):
        yield items[start : start + _IDS_PER_QUERY]
