"""confirm-outbox: stamps the outbox rows whose events came back from `anomaly-events`: the proof of publication.

An event may be faster than its own row: change data capture reads a commit from the log, a moment before the row can
be seen by others. So a fresh event without a row is tried again; only an old one is taken as purged.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final
from uuid import UUID

from prometheus_client import CollectorRegistry

from signal_pipeline.domain.failures import Failure, FailureClass
from signal_pipeline.events.envelope import CloudEvent
from signal_pipeline.observability.metrics import ConfirmMetrics
from signal_pipeline.roles.database import DatabaseFunction
from signal_pipeline.roles.outbox_watch import OutboxWatch
from signal_pipeline.settings import Settings
from signal_pipeline.store.outbox import confirm_outbox, stamped_outbox

__all__ = ["ConfirmOutbox"]

_NOT_AN_OUTBOX_EVENT = Failure(
    failure_class=FailureClass.INVALID,
    code="not_an_outbox_event",
    detail="the id of an outbox event is a UUID",
    status=422,
)
_NOT_VISIBLE_YET = Failure(
    failure_class=FailureClass.CONTENTION,
    code="outbox_row_not_visible",
    detail="the transaction of the outbox row has not ended for others yet",
)
# A commit becomes visible within milliseconds; a row is purged no sooner than a minute after it was written.
_FRESH: Final = timedelta(seconds=60)


class ConfirmOutbox(DatabaseFunction):
    """The role confirm-outbox."""

    name: ClassVar[str] = "confirm-outbox"
    # The id is all it needs. An anomaly event holds a whole signal: larger and deeper than a signal may be itself.
    max_event_bytes: ClassVar[int | None] = None

    def __init__(self, settings: Settings, registry: CollectorRegistry) -> None:
        super().__init__(settings, registry)
        self._metrics = ConfirmMetrics(registry)
        self._watch = OutboxWatch(self.pool, settings, registry)

    async def open(self) -> None:
        """Begin to watch the outbox."""
        self._watch.start()

    async def close(self) -> None:
        """End the watch, then close the connections."""
        await self._watch.stop()
        await super().close()

    async def handle(self, events: Sequence[CloudEvent]) -> Sequence[Failure | None]:
        """Stamp the rows; raises `StoreError` when none could be stamped."""
        ids = [_outbox_id(event) for event in events]
        unstamped = await self._stamp({row for row in ids if row is not None})
        now = datetime.now(UTC)
        verdicts = [_verdict(event, row, unstamped, now) for event, row in zip(events, ids, strict=True)]
        for event, verdict in zip(events, verdicts, strict=True):
            if verdict is None and event.time is not None:
                self._metrics.latency.observe(max((now - event.time).total_seconds(), 0))
        return verdicts

    async def _stamp(self, ids: set[UUID]) -> set[UUID]:
        """Stamp rows and return the ids that are not stamped afterwards."""
        stamped = await confirm_outbox(self.pool, ids)
        self._metrics.confirmed.inc(stamped)
        # Redeliveries and rows that cannot be seen are told apart by asking what is stamped now, and not what exists:
        # a row may become visible between the two statements.
        return set() if stamped == len(ids) else ids - await stamped_outbox(self.pool, ids)


def _verdict(event: CloudEvent, row: UUID | None, unstamped: set[UUID], now: datetime) -> Failure | None:
    if row is None:
        return _NOT_AN_OUTBOX_EVENT
    is_fresh = event.time is not None and now - event.time < _FRESH
    return _NOT_VISIBLE_YET if row in unstamped and is_fresh else None


def _outbox_id(event: CloudEvent) -> UUID | None:
    try:
        return UUID(event.id)
    except ValueError:
        return None
