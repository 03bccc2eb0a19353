"""What replay-dlq shows of the dead letters, against PostgreSQL."""

import asyncio
import math
from uuid import uuid4

import pytest
from prometheus_client import CollectorRegistry

from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.errors import DependencyUnavailable
from signal_pipeline.observability.metrics import RecoveryMetrics
from signal_pipeline.roles.recovery import Recovery
from signal_pipeline.roles.recovery_watch import RecoveryWatch
from signal_pipeline.store.pool import Pool
from signal_pipeline.topology import Topic
from tests.integration.roles.letters import failure, letter
from tests.support.waiting import wait_for


class Unread:
    """How many dead letters replay-dlq has not read; None while the broker does not tell."""

    def __init__(self, count: int | None) -> None:
        self.count = count

    def total(self, _: Topic) -> int:
        """Return the count."""
        if self.count is None:
            raise DependencyUnavailable("no broker answers")
        return self.count


@pytest.fixture
def registry() -> CollectorRegistry:
    """A registry of this test alone."""
    return CollectorRegistry()


@pytest.mark.usefixtures("rejected")
async def test_letters_are_shown_by_what_became_of_them(
    pool: Pool, recovery: Recovery, registry: CollectorRegistry
) -> None:
    """Five in quarantine and two that wait: each group is counted; the queue is what waits and what is unread."""
    waiting = [uuid4() for _ in range(2)]
    await recovery.record(
        [letter(each, failure(each, n, FailureClass.UNEXPECTED)) for n, each in enumerate(waiting, 100)]
    )
    watch = RecoveryWatch(pool, Unread(3), RecoveryMetrics(registry))
    assert await watch.measure() == 3 + 2

    def shown(status: str, failure_class: str) -> float | None:
        return registry.get_sample_value("dead_letters", {"status": status, "failure_class": failure_class})

    assert registry.get_sample_value("dlq_queue_size") == 5
    assert shown("quarantined", "rejected") == 5
    assert shown("scheduled", "unexpected") == 2
    assert shown("replayed", "unexpected") == 0
    assert registry.get_sample_value("dead_letters_oldest_seconds", {"status": "replayed"}) == 0
    assert registry.get_sample_value("replay_jobs", {"state": "running"}) == 0


async def test_what_cannot_be_seen_is_not_shown(pool: Pool, registry: CollectorRegistry) -> None:
    """While the broker is silent the queue has no depth, and no count of before stands."""
    unread = Unread(3)
    watch = RecoveryWatch(pool, unread, RecoveryMetrics(registry))
    await watch.measure()
    unread.count = None
    watch.start()
    await asyncio.to_thread(
        wait_for,
        lambda: math.isnan(registry.get_sample_value("dlq_queue_size") or 0),
        seconds=20,
        what="a look that fails",
    )
    assert registry.get_sample_value("replay_jobs", {"state": "running"}) is None
    await watch.stop()
