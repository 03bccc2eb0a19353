"""How far a group is behind, in records and in time, is told as it is, or not at all."""

import math
import time
from collections.abc import Iterable
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry

from signal_pipeline.domain.failures import Failure, FailureClass
from signal_pipeline.domain.retry import Backoff
from signal_pipeline.errors import DependencyUnavailable
from signal_pipeline.events.kafka import KafkaRecord
from signal_pipeline.observability.metrics import LagMetrics
from signal_pipeline.trigger.lag import LagMonitor
from signal_pipeline.trigger.partition import Partition
from signal_pipeline.trigger.pending import Fate, Pending, judge

KEY = ("signal-events", 3)


class Broker:
    """What the broker tells; None while it tells nothing."""

    def __init__(self, lag: int | None) -> None:
        self.lag = lag

    def read(self, keys: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """Return the same lag for each partition."""
        if self.lag is None:
            raise DependencyUnavailable("no broker answers")
        return dict.fromkeys(keys, self.lag)


@pytest.fixture
def registry() -> CollectorRegistry:
    """Return a registry of this test alone."""
    return CollectorRegistry()


def record(offset: int, *, age_seconds: float) -> Pending:
    """Return a record that the broker took so long ago."""
    milliseconds = int((time.time() - age_seconds) * 1000)
    return Pending(
        KafkaRecord(
            topic=KEY[0], partition=KEY[1], offset=offset, timestamp_ms=milliseconds, key=None, value=b"", headers=()
        )
    )


def partition_with(*ages: float) -> Partition:
    """Return a partition that holds one record of each age."""
    partition = Partition(KEY)
    for offset, age in enumerate(ages):
        partition.add(record(offset, age_seconds=age), now=0)
    return partition


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    """Return what a metric shows; None when it shows nothing."""
    return registry.get_sample_value(name, labels)


async def test_the_age_of_the_oldest_record_is_told(registry: CollectorRegistry) -> None:
    """The lag in seconds is the age of the oldest record of all partitions, each partition's beside it."""
    monitor = LagMonitor(Broker(7), LagMetrics(registry))
    await monitor.update({KEY: partition_with(40, 10), ("signal-events", 4): partition_with(5)})
    assert value(registry, "consumer_lag") == 14
    assert value(registry, "consumer_lag_seconds") == pytest.approx(40, abs=2)
    assert value(registry, "consumer_partition_lag_seconds", topic=KEY[0], partition="3") == pytest.approx(40, abs=2)
    assert value(registry, "consumer_partition_lag_seconds", topic=KEY[0], partition="4") == pytest.approx(5, abs=2)


async def test_nothing_to_do_has_no_age(registry: CollectorRegistry) -> None:
    """A group without a record to resolve is 0 seconds behind."""
    monitor = LagMonitor(Broker(0), LagMetrics(registry))
    await monitor.update({KEY: Partition(KEY)})
    assert value(registry, "consumer_lag") == 0
    assert value(registry, "consumer_lag_seconds") == 0


async def test_a_record_in_delivery_still_ages() -> None:
    """A record that the function holds is not resolved: its age counts until the verdict, and on after a failure."""
    partition = partition_with(40, 10)
    oldest = partition.oldest_ms
    taken = partition.take(1, 1000)
    partition.begin(0.0)
    assert partition.oldest_ms == oldest
    down = Failure(failure_class=FailureClass.DEPENDENCY, code="down", detail="down")
    judge(taken[0], down, now=datetime.now(UTC), max_attempts=5)
    backoff = Backoff(base_seconds=1, cap_seconds=1)
    partition.settle(taken, now=0, chance=0, backoff=backoff, ask=0)
    assert partition.oldest_ms == oldest


async def test_the_next_record_is_the_oldest_once_one_is_durable() -> None:
    """What is durable does not age; the record behind it does."""
    partition = partition_with(40, 10)
    taken = partition.take(1, 1000)
    partition.begin(0.0)
    taken[0].fate = Fate.DURABLE
    partition.settle(taken, now=0, chance=0, backoff=Backoff(base_seconds=1, cap_seconds=1), ask=0)
    assert partition.oldest_ms is not None
    assert time.time() - partition.oldest_ms / 1000 == pytest.approx(10, abs=2)


@pytest.mark.parametrize("leaves_group", [True, False], ids=["left-the-group", "broker-silent"])
async def test_what_is_not_known_is_not_shown(registry: CollectorRegistry, leaves_group: bool) -> None:  # noqa: FBT001
    """Outside the group, or without a broker, the lag is not a number and no partition keeps an old value."""
    broker = Broker(7)
    monitor = LagMonitor(broker, LagMetrics(registry))
    partitions = {KEY: partition_with(40)}
    await monitor.update(partitions)
    broker.lag = None
    await monitor.update(None if leaves_group else partitions)
    for name in ("consumer_lag", "consumer_lag_seconds"):
        shown = value(registry, name)
        assert shown is not None
        assert math.isnan(shown)
    assert value(registry, "consumer_partition_lag", topic=KEY[0], partition="3") is None
