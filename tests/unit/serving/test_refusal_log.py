"""Log lines about refused events: whose they are, and not more than somebody can read."""

from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from signal_pipeline.domain.failures import Failure, FailureClass
from signal_pipeline.events.envelope import CloudEvent, RefusedEvent
from signal_pipeline.observability import sampling
from signal_pipeline.serving.correlation import bind_request
from signal_pipeline.serving.refusal_log import RefusalLog

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
REJECTED = Failure(failure_class=FailureClass.REJECTED, code="23514", detail="no")
DOWN = Failure(failure_class=FailureClass.DEPENDENCY, code="down", detail="PostgreSQL does not answer")


def event(**extensions: str | int | bool) -> CloudEvent:
    """Return an event with extensions."""
    return CloudEvent(id="e-1", source="web", type="login", time=datetime.now(UTC), extensions=extensions)


def test_a_refused_event_is_logged_with_its_own_ids() -> None:
    """In a batch the event's ids say whose it is, and the id of the delivery leads to the trigger's line."""
    bind_request({"x-correlation-id": "delivery-1"})
    with capture_logs() as lines:
        RefusalLog().refused(event(correlationid="c-1", traceparent=TRACEPARENT), REJECTED)
    (line,) = lines
    assert (line["event_id"], line["correlation_id"], line["traceparent"]) == ("e-1", "c-1", TRACEPARENT)
    assert (line["delivery_id"], line["code"]) == ("delivery-1", "23514")


@pytest.mark.parametrize(
    "anonymous",
    [event(), event(correlationid="a\nforged line"), event(correlationid=7), RefusedEvent(id="e-1", failure=REJECTED)],
)
def test_an_event_without_ids_is_known_by_its_request(anonymous: CloudEvent | RefusedEvent) -> None:
    """Without an id of its own that is sound, the line has the request's."""
    bind_request({"x-correlation-id": "request-1"})
    with capture_logs() as lines:
        RefusalLog().refused(anonymous, REJECTED)
    (line,) = lines
    assert (line["event_id"], line["correlation_id"], line["traceparent"]) == ("e-1", "request-1", "")


def test_a_flood_is_a_line_and_a_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a thousand equal failures one is written, and five seconds later one more that counts the others."""
    now = 100.0
    monkeypatch.setattr(sampling.time, "monotonic", lambda: now)
    log = RefusalLog()
    with capture_logs() as lines:
        for _ in range(1000):
            log.refused(event(), REJECTED)
            log.failed(DOWN)
        now += 5
        log.refused(event(), REJECTED)
        log.failed(DOWN)
    assert [(line["event"], line["suppressed"]) for line in lines] == [
        ("event_refused", 0),
        ("request_refused", 0),
        ("event_refused", 999),
        ("request_refused", 999),
    ]
