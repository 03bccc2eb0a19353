"""Watches a pipeline while a load runs: a thread that takes a sample at an interval, whatever is down meanwhile."""

import threading
import urllib.request
from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from dataclasses import replace
from http.client import HTTPException
from types import TracebackType
from typing import Any, Self, TypeVar

import pg8000.dbapi
from confluent_kafka import KafkaException, TopicPartition

from tests.checker.history import Bounds, History, Part, Sample
from tests.checker.kafka import GROUPS, Broker, offset_reader, partitions_of
from tests.checker.postgres import connect

__all__ = ["Observer"]

_INTERVAL_SECONDS = 0.25
_PATIENCE_SECONDS = 2.0
_LOG = "signal-events"
_LETTERS = ("signal-events-dlq", "signal-events-quarantine")
_STORED = "SELECT id FROM signals WHERE source = ANY(%s::text[])"
_DETECTED = """
SELECT a.signal_event_id FROM anomalies AS a JOIN signals AS s ON s.id = a.signal_event_id
WHERE s.source = ANY(%s::text[])
"""
_CONNECTIONS = """
SELECT application_name, count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' GROUP BY application_name
"""
_RETAINED = "SELECT slot_name, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint FROM pg_replication_slots"
T = TypeVar("T")


class Observer:
    """Takes samples from its first moment to its last; use as a context manager around the load and its check.

    Args:
        database_url: `postgresql://user:password@host:port/database`.
        broker: Kafka's address, or a client's settings for it.
        pages: Address of each role's metrics page.
        sources: Sources of the events that are sent meanwhile.
        bounds: What no sample may exceed.
        calm: Nothing will be hurt.
    """

    def __init__(
        self,
        database_url: str,
        broker: Broker,
        pages: Mapping[str, str],
        sources: Collection[str],
        *,
        bounds: Bounds,
        calm: bool = False,
    ) -> None:
        self._database_url = database_url
        self._pages = pages
        self._sources = list(sources)
        self._bounds = bounds
        self._calm = calm
        self._readers = {group: offset_reader(broker, group) for group in GROUPS}
        self._places: dict[str, list[TopicPartition]] = {}
        self._samples: list[Sample] = []
        self._log_start: dict[int, int] = {}
        self._one_at_a_time = threading.Lock()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)

    def __enter__(self) -> Self:
        reader = self._readers["process-signal"]
        for topic in {*GROUPS.values(), *_LETTERS}:
            self._places[topic] = [TopicPartition(topic, each) for each in partitions_of(reader, topic)]
        self._log_start = {place.partition: _end(reader, place) for place in self._places[_LOG]}
        first = self._take()
        # Counters grow from here: a page that is missing would hide what it had counted before.
        assert first.pages.keys() == self._pages.keys(), f"only {sorted(first.pages)} answer"
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._ending.set()
        self._thread.join()
        for reader in self._readers.values():
            reader.close()

    def look(self) -> History:
        """Take one more sample and return all so far."""
        self._take()
        return History(samples=tuple(self._samples), log_start=self._log_start, bounds=self._bounds, calm=self._calm)

    def _run(self) -> None:
        while not self._ending.wait(_INTERVAL_SECONDS):
            self._take()

    def _take(self) -> Sample:
        with self._one_at_a_time:
            # The order proves something: see `history`.
            commits = _unless(KafkaException, self._commits)
            stores = _unless((pg8000.dbapi.Error, OSError), self._stores) or Sample()
            sample = replace(
                stores, commits=commits, letters=_unless(KafkaException, self._letters), pages=self._all_pages()
            )
            self._samples.append(sample)
            return sample

    def _commits(self) -> dict[Part, int]:
        found: dict[Part, int] = {}
        for group, topic in GROUPS.items():
            # A copy: the client writes its answer into what it is asked with.
            asked = [TopicPartition(topic, place.partition) for place in self._places[topic]]
            for place in self._readers[group].committed(asked, timeout=_PATIENCE_SECONDS):
                if place.error is not None:
                    raise KafkaException(place.error)
                if place.offset >= 0:
                    found[group, topic, place.partition] = place.offset
        return found

    def _letters(self) -> dict[str, int]:
        reader = self._readers["replay-dlq"]
        return {topic: sum(_end(reader, place) for place in self._places[topic]) for topic in _LETTERS}

    def _stores(self) -> Sample:
        with closing(connect(self._database_url, seconds=_PATIENCE_SECONDS)) as connection:
            cursor = connection.cursor()

            def rows(statement: str, *arguments: Any) -> Any:
                cursor.execute(statement, arguments)
                return cursor.fetchall()

            return Sample(
                stored=frozenset(row[0] for row in rows(_STORED, self._sources)),
                detected=frozenset(row[0] for row in rows(_DETECTED, self._sources)),
                connections={row[0]: row[1] for row in rows(_CONNECTIONS)},
                wal_bytes={row[0]: row[1] or 0 for row in rows(_RETAINED)},
            )

    def _all_pages(self) -> dict[str, dict[str, float]]:
        found = {
            role: _unless((OSError, HTTPException), lambda url=url: _page(url)) for role, url in self._pages.items()
        }
        return {role: page for role, page in found.items() if page is not None}


def _unless(failures: type[Exception] | tuple[type[Exception], ...], ask: Callable[[], T]) -> T | None:
    """Return an answer; None when what is asked does not serve now."""
    try:
        return ask()
    except failures:
        return None


def _end(reader: Any, place: TopicPartition) -> int:
    marks = reader.get_watermark_offsets(place, timeout=_PATIENCE_SECONDS)
    if marks is None:
        raise KafkaException(f"no answer about {place.topic}")
    return int(marks[1])


def _page(url: str) -> dict[str, float]:
    # The addresses are the pipeline's own.
    with urllib.request.urlopen(url, timeout=_PATIENCE_SECONDS) as answer:  # noqa: S310
        lines = answer.read().decode().splitlines()
    pairs = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in pairs}
