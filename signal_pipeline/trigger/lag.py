"""Lag as the broker sees it: log end minus committed offset, asked anew every time; and its age.

The count does not come from the consumer, whose view is stale while partitions are paused, and it does not depend on
records flowing: lag grows truly while the function is down. The age is that of the oldest record that was read and is
not resolved: what a person waits for.
"""

import asyncio
import math
import time
from collections.abc import Mapping
from typing import Protocol

from signal_pipeline.broker.lag import GroupLag
from signal_pipeline.errors import DependencyUnavailable
from signal_pipeline.observability.logs import get_logger
from signal_pipeline.observability.metrics import LagMetrics
from signal_pipeline.trigger.partition import TopicPartitionKey

__all__ = ["Held", "LagMonitor"]


class Held(Protocol):
    """A partition as far as its lag goes."""

    @property
    def oldest_ms(self) -> int | None:
        """The broker's time of the oldest record that is read and not resolved."""


class LagMonitor:
    """Keeps the lag gauges of one consumer group.

    Args:
        lag: Asks the broker.
        metrics: Whose gauges are set.
    """

    def __init__(self, lag: GroupLag, metrics: LagMetrics) -> None:
        self._lag = lag
        self._metrics = metrics
        self._shown: set[TopicPartitionKey] = set()
        self._forget()  # not known yet, which is not zero

    async def update(self, partitions: Mapping[TopicPartitionKey, Held] | None) -> None:
        """Measure the lag of these partitions; while the broker does not answer, the lag is not a number.

        Args:
            partitions: Those that the group gave to this trigger; None while it is not in the group.
        """
        if partitions is None:
            self._forget()
            return
        held = dict(partitions)
        try:
            lags = await asyncio.to_thread(self._lag.read, list(held))
        except DependencyUnavailable as exc:
            get_logger().warning("lag_unknown", detail=str(exc))
            self._forget()
            return
        self._show(lags, {key: _age(partition) for key, partition in held.items()})

    def _show(self, lags: Mapping[TopicPartitionKey, int], ages: Mapping[TopicPartitionKey, float]) -> None:
        self._remove(self._shown - lags.keys())
        self._shown = set(lags)
        for key, lag in lags.items():
            self._metrics.partition_records.labels(*_labels(key)).set(lag)
            self._metrics.partition_seconds.labels(*_labels(key)).set(ages[key])
        self._metrics.records.set(sum(lags.values()))
        self._metrics.seconds.set(max(ages.values(), default=0.0))

    def _forget(self) -> None:
        self._remove(self._shown)
        self._shown = set()
        self._metrics.records.set(math.nan)
        self._metrics.seconds.set(math.nan)

    def _remove(self, keys: set[TopicPartitionKey]) -> None:
        for key in keys:
            self._metrics.partition_records.remove(*_labels(key))
            self._metrics.partition_seconds.remove(*_labels(key))


def _age(partition: Held) -> float:
    oldest_ms = partition.oldest_ms
    return 0.0 if oldest_ms is None else max(time.time() - oldest_ms / 1000, 0.0)


def _labels(key: TopicPartitionKey) -> tuple[str, str]:
    return key[0], str(key[1])
