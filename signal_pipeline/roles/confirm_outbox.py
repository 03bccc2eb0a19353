"""confirm-outbox: stamps the outbox rows whose events came back from `anomaly-events`: the proof of publication."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import ClassVar
from uuid import UUID

from prometheus_client import CollectorRegistry

from signal_pipeline.domain.failures import Failure, FailureClass
from signal_pipeline.events.envelope import CloudEvent
from signal_pipeline.observability.metrics import ConfirmMetrics
from signal_pipeline.roles.database import DatabaseFunction
from signal_pipeline.settings import Settings
from signal_pipeline.store.outbox import confirm_outbox

__all__ = ["ConfirmOutbox"]

_NOT_AN_OUTBOX_EVENT = Failure(
    failure_class=FailureClass.INVALID,
    code="not_an_outbox_event",
    detail="the id of an outbox event is a UUID",
    status=422,
)


class ConfirmOutbox(DatabaseFunction):
    """The role confirm-outbox."""

    name: ClassVar[str] = "confirm-outbox"

    def __init__(self, settings: Settings, registry: CollectorRegistry) -> None:
        super().__init__(settings, registry)
        self._metrics = ConfirmMetrics(registry)

    async def handle(self, events: Sequence[CloudEvent]) -> Sequence[Failure | None]:
        """Stamp the rows; raises `StoreError` when none could be stamped."""
        ids = [_outbox_id(event) for event in events]
        self._metrics.confirmed.inc(await confirm_outbox(self.pool, [row for row in ids if row is not None]))
        now = datetime.now(UTC)
        for event, row in zip(events, ids, strict=True):
            if row is not None and event.time is not None:
                self._metrics.latency.observe(max((now - event.time).total_seconds(), 0))
        return [None if row is not None else _NOT_AN_OUTBOX_EVENT for row in ids]


def _outbox_id(event: CloudEvent) -> UUID | None:
    try:
        return UUID(event.id)
    except ValueError:
        return None
