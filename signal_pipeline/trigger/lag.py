"""Lag as the broker sees it: log end minus committed offset, asked anew every time.

It does not come from the consumer, whose view is stale while partitions are paused, and it does not depend on records
flowing: lag grows truly while the function is down.
"""

import asyncio
import math
from collections.abc import Iterable

from signal_pipeline.broker.lag import GroupLag
from signal_pipeline.errors import DependencyUnavailable
from signal_pipeline.observability.logs import get_logger
from signal_pipeline.observability.metrics import TriggerMetrics
from signal_pipeline.settings import Settings
from signal_pipeline.trigger.partition import TopicPartitionKey

__all__ = ["LagMonitor"]


class LagMonitor:
    """Keeps the lag gauges of one consumer group.

    Args:
        settings: Where the broker is.
        group: Consumer group.
        starts_at_end: Whether a partition without a committed offset is read from its end.
        metrics: Whose gauges are set.
    """

    def __init__(self, settings: Settings, *, group: str, starts_at_end: bool, metrics: TriggerMetrics) -> None:
        self._lag = GroupLag(settings, group=group, starts_at_end=starts_at_end)
        self._metrics = metrics
        self._shown: set[TopicPartitionKey] = set()
        metrics.lag.set(math.nan)  # not known yet, which is not zero

    async def update(self, keys: Iterable[TopicPartitionKey] | None) -> None:
        """Measure the lag of these partitions; while the broker does not answer, the lag is not a number.

        Args:
            keys: The partitions that the group gave to this trigger; None while it is not in the group.
        """
        if keys is None:
            self._metrics.lag.set(math.nan)
            return
        wanted = list(keys)
        try:
            lags = await asyncio.to_thread(self._lag.read, wanted)
        except DependencyUnavailable as exc:
            get_logger().warning("lag_unknown", detail=str(exc))
            self._metrics.lag.set(math.nan)
            return
        for key in self._shown - lags.keys():
            self._metrics.partition_lag.remove(key[0], str(key[1]))
        self._shown = set(lags)
        for (topic, partition), lag in lags.items():
            self._metrics.partition_lag.labels(topic, str(partition)).set(lag)
        self._metrics.lag.set(sum(lags.values()))
