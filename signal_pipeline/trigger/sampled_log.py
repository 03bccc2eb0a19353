"""Log lines about failed events: the first of a kind at once, then at most one in five seconds with a count."""

from typing import Final

from signal_pipeline.domain.failures import Failure
from signal_pipeline.events.kafka import binary_attributes, trace_of
from signal_pipeline.observability.logs import get_logger
from signal_pipeline.observability.sampling import Sampling
from signal_pipeline.trigger.pending import Pending

__all__ = ["SampledLog"]

_ID_LENGTH: Final = 256  # as much of an id as a row may have: whoever wrote the record chose it


class SampledLog:
    """Failures as log lines, whatever their number."""

    def __init__(self) -> None:
        self._log = get_logger()
        self._sampling = Sampling()

    def failure(self, failure: Failure, pending: Pending, *, function: str, delivery: str) -> None:
        """Log a failed event, with where it stands, its ids and how many of its kind were not logged.

        Args:
            failure: Why it failed.
            pending: The event.
            function: Which function said so.
            delivery: Id of the request that carried it, which the function's own lines name.
        """
        suppressed = self._sampling.due((failure.failure_class.value, failure.code))
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
            traceparent=trace_of(record),
            delivery_id=delivery,
            suppressed=suppressed,
        )

    def breaker_open(self, function: str) -> None:
        """Log that the breaker holds consumption."""
        suppressed = self._sampling.due(("breaker", "open"))
        if suppressed is not None:
            self._log.error("breaker_open", function=function, detail="most events fail; one is tried at a time")
