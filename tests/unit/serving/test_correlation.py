"""The ids of a request: in the log lines that are written while it runs."""

import io
import json
from collections.abc import Iterator

import pytest
import structlog

from signal_pipeline.observability.logs import configure_logs, get_logger
from signal_pipeline.serving.correlation import bind_request, current_correlation_id, current_traceparent

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What is logged while a test runs."""
    stream = io.StringIO()
    configure_logs(role="emit", level="info", stream=stream)
    yield stream
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()


def test_a_log_line_carries_the_correlation_id_of_its_request(log: io.StringIO) -> None:
    """Whatever is logged after a request began names it, and the next request's lines name the next."""
    for name in ("first", "second"):
        bind_request({"x-correlation-id": name})
        get_logger().warning("request_refused")
    assert [json.loads(line)["correlation_id"] for line in log.getvalue().splitlines()] == ["first", "second"]


@pytest.mark.usefixtures("log")
def test_the_trace_context_is_that_of_this_request_alone() -> None:
    """A sound traceparent is kept and its trace id is the correlation id; one that is not sound, or none, is None."""
    assert bind_request({"traceparent": TRACEPARENT}) == current_correlation_id() == TRACE
    assert current_traceparent() == TRACEPARENT
    for headers in ({"traceparent": "garbage"}, {}):
        bind_request(headers)
        assert current_traceparent() is None
