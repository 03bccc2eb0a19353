"""A function's log lines about events that it refuses, and requests that fail: sampled, with the ids of the event."""

from typing import Final

from signal_pipeline.domain.failures import Failure
from signal_pipeline.domain.trace_ids import sound_correlation_id, sound_traceparent
from signal_pipeline.events.envelope import CloudEvent, RefusedEvent
from signal_pipeline.observability.logs import get_logger
from signal_pipeline.observability.sampling import Sampling
from signal_pipeline.serving.correlation import current_correlation_id

__all__ = ["RefusalLog"]

_ID_LENGTH: Final = 256  # as much of an id as a row may have: whoever wrote the event chose it


class RefusalLog:
    """Failures as log lines, whatever their number; each names how many of its kind were left out."""

    def __init__(self) -> None:
        self._sampling = Sampling()

    def refused(self, event: CloudEvent | RefusedEvent, failure: Failure) -> None:
        """Log an event that failed; `delivery_id` is that of the request, which a trigger's line about it has, too."""
        suppressed = self._sampling.due((failure.failure_class, failure.code))
        if suppressed is None:
            return
        said = {} if isinstance(event, RefusedEvent) else event.extensions
        delivery = current_correlation_id()
        get_logger().warning(
            "event_refused",
            failure_class=failure.failure_class.value,
            code=failure.code,
            detail=failure.detail,
            event_id=(event.id or "")[:_ID_LENGTH],
            correlation_id=sound_correlation_id(said.get("correlationid")) or delivery,
            traceparent=sound_traceparent(said.get("traceparent")) or "",
            delivery_id=delivery,
            suppressed=suppressed,
        )

    def failed(self, failure: Failure) -> None:
        """Log a request that failed as a whole, by the function's fault or that of what it depends on."""
        suppressed = self._sampling.due(failure.code)
        if suppressed is not None:
            get_logger().warning("request_refused", code=failure.code, detail=failure.detail, suppressed=suppressed)
