"""Log lines about failed events: the first of a kind at once, then at most one in five seconds with a count."""

import time
from typing import Final

from signal_pipeline.domain.failures import Failure
from signal_pipeline.events.kafka import binary_attributes
from signal_pipeline.observability.logs import get_logger
from signal_pipeline.trigger.deadletter import trace_of
from signal_pipeline.trigger.pending import Pending

__all__ = ["SampledLog"]

_INTERVAL_SECONDS: Final = 5.0
_KINDS: Final = 1000  # codes come from functions; a flood of different ones must not fill the memory
_ID_LENGTH: Final = 256  # as much of an id as a row may have: whoever wrote the record chose it


class SampledLog:
    """Failures as log lines, whatever their number."""

    def __init__(self) -> None:
        self._log = get_logger()
        self._kinds: dict[tuple[str, str], tuple[float, int]] = {}

    def failure(self, failure: Failure, pending: Pending, *, function: str) -> None:
        """Log a failed event, with where it stands, its ids and how many of its kind were not logged."""
        suppressed = self._due((failure.failure_class.value, failure.code))
        if suppressed is None:
            return
        record, said = pending.record, binary_attributes(pending.record.headers)
        self._log.warning(
            "event_failed",
            function=function,
            failure_class=failure.failure_class.value,
            code=failure.code,
            detail=failure.detail,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            attempts=pending.attempts,
            fate=pending.fate.name.lower(),
            event_id=said.get("id", "")[:_ID_LENGTH],
            correlation_id=said.get("correlationid", "")[:_ID_LENGTH],
            traceparent=trace_of(pending),
            suppressed=suppressed,
        )

    def breaker_open(self, function: str) -> None:
        """Log that the breaker holds consumption."""
        suppressed = self._due(("breaker", "open"))
        if suppressed is not None:
            self._log.error("breaker_open", function=function, detail="most events fail; one is tried at a time")

    def _due(self, kind: tuple[str, str]) -> int | None:
        now = time.monotonic()
        if len(self._kinds) >= _KINDS:
            self._kinds.clear()
        logged_at, suppressed = self._kinds.get(kind, (float("-inf"), 0))
        if now - logged_at < _INTERVAL_SECONDS:
            self._kinds[kind] = (logged_at, suppressed + 1)
            return None
        self._kinds[kind] = (now, 0)
        return suppressed
