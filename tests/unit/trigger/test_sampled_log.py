"""Log lines about failed events: they name the event, whatever its sender wrote."""

from structlog.testing import capture_logs

from signal_pipeline.domain.failures import Failure, FailureClass
from signal_pipeline.events.kafka import KafkaRecord
from signal_pipeline.trigger.pending import Pending
from signal_pipeline.trigger.sampled_log import SampledLog

FAILURE = Failure(failure_class=FailureClass.REJECTED, code="23514", detail="no")


def test_a_failure_is_logged_with_the_ids_of_its_event() -> None:
    """Place, event id and correlation id stand in the line, so that either finds it; an id is cut at 256 characters."""
    headers = (("ce_id", b"x" * 300), ("ce_correlationid", b"c-1"))
    record = KafkaRecord("signal-events", 3, 41, 0, b"user", b"{}", headers)
    with capture_logs() as lines:
        SampledLog().failure(FAILURE, Pending(record), function="process-signal")
    (line,) = lines
    assert (line["topic"], line["partition"], line["offset"]) == ("signal-events", 3, 41)
    assert (line["event_id"], line["correlation_id"]) == ("x" * 256, "c-1")
