"""Log lines about failed events: they name the event, whatever its sender wrote."""

import pytest
from structlog.testing import capture_logs

from signal_pipeline.domain.failures import Failure, FailureClass
from signal_pipeline.events.kafka import KafkaRecord, trace_of
from signal_pipeline.trigger.pending import Pending
from signal_pipeline.trigger.sampled_log import SampledLog

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
FAILURE = Failure(failure_class=FailureClass.REJECTED, code="23514", detail="no")


def test_a_failure_is_logged_with_the_ids_of_its_event() -> None:
    """Place, event id and correlation id stand in the line, so that either finds it; an id is cut at 256 characters."""
    headers = (("ce_id", b"x" * 300), ("ce_correlationid", b"c-1"))
    record = KafkaRecord("signal-events", 3, 41, 0, b"user", b"{}", headers)
    with capture_logs() as lines:
        SampledLog().failure(FAILURE, Pending(record), function="process-signal", delivery="d-1")
    (line,) = lines
    assert (line["topic"], line["partition"], line["offset"]) == ("signal-events", 3, 41)
    assert (line["event_id"], line["correlation_id"], line["delivery_id"]) == ("x" * 256, "c-1", "d-1")


@pytest.mark.parametrize(
    ("header", "trace"),
    [(TRACEPARENT.encode(), TRACEPARENT), (b"x" * 1_000_000, ""), (b"00-\nforged", ""), (b"\xff", ""), (None, "")],
)
def test_only_a_sound_trace_is_told(header: bytes | None, trace: str) -> None:
    """Whoever wrote the record chose its trace context: what is none is neither logged nor put into a dead letter."""
    record = KafkaRecord("signal-events", 3, 41, 0, b"user", b"{}", (("ce_traceparent", header),))
    assert trace_of(record) == trace
