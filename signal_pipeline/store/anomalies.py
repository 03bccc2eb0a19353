"""Storing anomalies for detect-anomaly, each with its outbox row, in one transaction.

    detections ──upsert──▶ signals ──accepted──▶ anomalies ──inserted──▶ outbox rows ──commit──▶ durable
                              └─ not accepted: its anomalies are not recorded

A version is accepted when it is the row, or was: written now, stored before by process-signal, or replaced meanwhile
by a newer one (table superseded_signals). The upsert locks the rows, so the answer holds until the commit. So the
anomalies are the same whichever of the two roles is ahead.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from signal_pipeline.domain.anomalies import Anomaly
from signal_pipeline.domain.signals import Signal
from signal_pipeline.store.pool import Pool
from signal_pipeline.store.queries import query
from signal_pipeline.store.upsert import ACCEPTED, StoredSignals, write_in_transaction

__all__ = ["Detection", "StoredAnomalies", "store_anomalies"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Detection:
    """One version of a signal and the anomalies that the rules found in it.

    Attributes:
        signal: The version that the rules saw.
        anomalies: What they found; at least one.
    """

    signal: Signal
    anomalies: Sequence[Anomaly]


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredAnomalies:
    """What became of a batch of detections.

    Attributes:
        inserted: Ids of the anomalies that are new; each has exactly one outbox row.
        signals: What became of the signals, in the order of the detections.
    """

    inserted: frozenset[UUID]
    signals: StoredSignals


async def store_anomalies(pool: Pool, detections: Sequence[Detection]) -> StoredAnomalies:
    """Store anomalies with their signals and outbox rows; when this returns, they are durable.

    Storing the same detections again inserts nothing and publishes nothing.

    Raises:
        StoreError: nothing of the batch was stored, or nobody knows whether it was: send it again.
    """
    if not detections:
        return StoredAnomalies(inserted=frozenset(), signals=StoredSignals(outcomes=(), failures={}))
    async with pool.connection() as connection, connection.transaction():
        signals = await write_in_transaction(connection, [detection.signal for detection in detections])
        accepted = [
            anomaly
            for detection, outcome in zip(detections, signals.outcomes, strict=True)
            if outcome in ACCEPTED
            for anomaly in detection.anomalies
        ]
        inserted = await _insert(connection, accepted) if accepted else frozenset()
    return StoredAnomalies(inserted=inserted, signals=signals)


async def _insert(connection: AsyncConnection[tuple[Any, ...]], anomalies: Sequence[Anomaly]) -> frozenset[UUID]:
    columns: dict[str, list[Any]] = {
        "ids": [anomaly.id for anomaly in anomalies],
        "users": [anomaly.user_id for anomaly in anomalies],
        "types": [anomaly.anomaly_type for anomaly in anomalies],
        "severities": [anomaly.severity for anomaly in anomalies],
        "signals": [anomaly.signal_event_id for anomaly in anomalies],
        "contexts": [anomaly.context_json for anomaly in anomalies],
    }
    cursor = await connection.execute(query("insert_anomalies"), columns, binary=True)
    return frozenset(row[0] for row in await cursor.fetchall())
