"""Lag as the broker sees it: log end minus committed offset, asked anew every time.

It does not come from the consumer, whose view is stale while partitions are paused, and it does not depend on records
flowing: lag grows truly while the function is down.
"""

import asyncio
import math
from collections.abc import Iterable
from typing import Any, Final

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from signal_pipeline.observability.logs import get_logger
from signal_pipeline.observability.metrics import TriggerMetrics
from signal_pipeline.settings import Settings
from signal_pipeline.trigger.partition import TopicPartitionKey

__all__ = ["LagMonitor"]

_REQUEST_SECONDS: Final = 5.0
_LATEST: Final = OffsetSpec.latest()  # type: ignore[no-untyped-call]
_EARLIEST: Final = OffsetSpec.earliest()  # type: ignore[no-untyped-call]


class LagMonitor:
    """Keeps the lag gauges of one consumer group.

    Args:
        settings: Where the broker is.
        group: Consumer group.
        starts_at_end: Whether a partition without a committed offset is read from its end.
        metrics: Whose gauges are set.
    """

    def __init__(self, settings: Settings, *, group: str, starts_at_end: bool, metrics: TriggerMetrics) -> None:
        self._admin = AdminClient(
            {"bootstrap.servers": settings.kafka_bootstrap_servers, "reconnect.backoff.max.ms": 1000}
        )
        self._group = group
        self._start = _LATEST if starts_at_end else _EARLIEST
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
            lags = await asyncio.to_thread(self._measure, wanted)
        except (KafkaException, TimeoutError) as exc:
            get_logger().warning("lag_unknown", detail=str(exc))
            self._metrics.lag.set(math.nan)
            return
        for key in self._shown - lags.keys():
            self._metrics.partition_lag.remove(key[0], str(key[1]))
        self._shown = set(lags)
        for (topic, partition), lag in lags.items():
            self._metrics.partition_lag.labels(topic, str(partition)).set(lag)
        self._metrics.lag.set(sum(lags.values()))

    def _measure(self, keys: list[TopicPartitionKey]) -> dict[TopicPartitionKey, int]:
        if not keys:
            return {}
        committed = self._committed(keys)
        fresh = [key for key in keys if committed[key] < 0]
        committed.update(self._offsets(fresh, self._start))
        ends = self._offsets(keys, _LATEST)
        return {key: max(ends[key] - committed[key], 0) for key in keys}

    def _committed(self, keys: list[TopicPartitionKey]) -> dict[TopicPartitionKey, int]:
        request = ConsumerGroupTopicPartitions(self._group, [TopicPartition(*key) for key in keys])
        futures = self._admin.list_consumer_group_offsets([request], request_timeout=_REQUEST_SECONDS)
        found = futures[self._group].result(timeout=_REQUEST_SECONDS)
        return {(one.topic, one.partition): one.offset for one in found.topic_partitions}

    def _offsets(self, keys: list[TopicPartitionKey], spec: Any) -> dict[TopicPartitionKey, int]:
        if not keys:
            return {}
        request = {TopicPartition(*key): spec for key in keys}
        futures = self._admin.list_offsets(request, request_timeout=_REQUEST_SECONDS)
        return {
            (one.topic, one.partition): future.result(timeout=_REQUEST_SECONDS).offset
            for one, future in futures.items()
        }
