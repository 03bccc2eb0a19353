"""What replay-dlq watches beside its work: the queue of dead letters, what became of others, the last audit."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from signal_pipeline.broker.lag import GroupLag
from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.observability.metrics import AuditMetrics, RecoveryMetrics
from signal_pipeline.serving.observer import Observer
from signal_pipeline.store.audit_runs import AuditRun, last_audit_run
from signal_pipeline.store.dead_letter_views import DeadLetterCount, dead_letter_counts, replay_job_counts
from signal_pipeline.store.pool import Pool
from signal_pipeline.topology import DEAD_LETTERS, QUARANTINE

__all__ = ["RecoveryWatch"]

# What never happened shows as 0.
_STATUSES: Final = ("scheduled", "replayed", "resolved", "quarantined")
_JOB_STATES: Final = ("running", "paused", "cancelled", "completed", "failed")
_WAITS: Final = "scheduled"


class RecoveryWatch:
    """Keeps the gauges of the recovery.

    Args:
        pool: Where dead letters are recorded.
        unread: Tells how many are not read yet.
        metrics: Whose gauges are set.
    """

    def __init__(self, pool: Pool, unread: GroupLag, metrics: RecoveryMetrics) -> None:
        self._pool = pool
        self._unread = unread
        self._metrics = metrics
        self._observer = Observer("dead letters", look=self._look, forget=metrics.forget)

    def start(self) -> None:
        """Begin to watch."""
        self._observer.start()

    async def stop(self) -> None:
        """End."""
        await self._observer.stop()

    async def measure(self) -> int:
        """Set all gauges, and return the depth of the queue: what is not read yet, and what has no outcome.

        Raises:
            PipelineError: Kafka or PostgreSQL does not tell.
        """
        unread = await asyncio.to_thread(self._unread.total, DEAD_LETTERS)
        # Nobody commits offsets of quarantine, so all that it holds is unread.
        quarantined = await asyncio.to_thread(self._unread.total, QUARANTINE)
        counts = await dead_letter_counts(self._pool)
        size = unread + sum(count.letters for count in counts if count.status == _WAITS)
        jobs, audit = await replay_job_counts(self._pool), await last_audit_run(self._pool)
        self._metrics.queue_size.set(size)
        self._metrics.quarantine.set(quarantined)
        _show_letters(self._metrics, counts)
        for state in _JOB_STATES:
            self._metrics.jobs.labels(state).set(jobs.get(state, 0))
        _show_audit(self._metrics.last_audit, audit)
        return size

    async def _look(self) -> None:
        await self.measure()


def _show_letters(metrics: RecoveryMetrics, counts: Sequence[DeadLetterCount]) -> None:
    letters = {(count.status, count.failure_class): count.letters for count in counts}
    now = datetime.now(UTC)
    for status in _STATUSES:
        for failure_class in FailureClass:
            metrics.letters.labels(status, failure_class.value).set(letters.get((status, failure_class.value), 0))
        since = min((count.oldest_failure_at for count in counts if count.status == status), default=now)
        metrics.oldest.labels(status).set(max((now - since).total_seconds(), 0))


def _show_audit(metrics: AuditMetrics, run: AuditRun | None) -> None:
    if run is None:
        return
    metrics.finished_at.set(run.finished_at.timestamp())
    metrics.ok.set(run.ok)
    metrics.missing.set(run.missing)
    metrics.audited.set(run.audited)
