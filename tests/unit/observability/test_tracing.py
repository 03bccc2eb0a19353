"""Spans: who is whose parent, what is linked, and that none are made, or cost anything, while nobody wants them."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from structlog.testing import capture_logs

from signal_pipeline.errors import DependencyUnavailable
from signal_pipeline.observability import tracing
from signal_pipeline.observability.tracing import current_trace, span, start_tracing, trace_with
from signal_pipeline.serving.app import FunctionApp
from signal_pipeline.serving.metrics_page import MetricsPage
from tests.contract.emit_app import BATCH, EVENT, STRUCTURED, EmitToList, RecordingProducer, header, post

FIRST, SECOND, THIRD = (f"00-{digit * 32}-{digit * 16}-01" for digit in "123")
_OFF = """
import sys, asyncio
from signal_pipeline.observability.tracing import current_trace, fail_span, span
import signal_pipeline.trigger.main, signal_pipeline.roles.application
with span("x", "server", traces=iter(lambda: 1 / 0, None)):
    assert current_trace() is None
    fail_span("x")
# The Redis client imports the metrics of OpenTelemetry where they are installed; spans are ours.
assert not [name for name in sys.modules if name.startswith(("opentelemetry.sdk.trace", "opentelemetry.exporter"))]
"""


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """The spans that are made while a test runs."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace_with(provider)
    yield exporter
    trace_with(None)


def contexts(*found: object) -> list[str]:
    """Return contexts as their traceparents."""
    return [f"00-{one.trace_id:032x}-{one.span_id:016x}-{one.trace_flags:02x}" for one in found]  # type: ignore[attr-defined]


def made(
    spans: InMemorySpanExporter, *, parent: object = None, traces: tuple[object, ...] = ()
) -> tuple[str, list[str]]:
    """Make a span; return its parent, empty for none, and its links."""
    spans.clear()
    with span("x", "server", parent=parent, traces=traces):
        pass
    (one,) = spans.get_finished_spans()
    return "".join(contexts(one.parent) if one.parent else []), contexts(*(link.context for link in one.links))


def test_off_nothing_is_imported_and_nothing_is_read() -> None:
    """Without an endpoint neither OpenTelemetry nor the events' trace contexts are touched, by any role or trigger."""
    subprocess.run([sys.executable, "-c", _OFF], check=True, timeout=60)


def test_a_single_event_is_the_parent(spans: InMemorySpanExporter) -> None:
    """An event alone continues its own trace."""
    assert made(spans, traces=(FIRST,)) == (FIRST, [])


def test_the_caller_is_nearer_than_the_event(spans: InMemorySpanExporter) -> None:
    """Whoever called is the parent, and the event is linked, unless both are the same."""
    assert made(spans, parent=SECOND, traces=(FIRST,)) == (SECOND, [FIRST])
    assert made(spans, parent=FIRST, traces=(FIRST,)) == (FIRST, [])


def test_a_batch_is_linked_to_each_trace(spans: InMemorySpanExporter) -> None:
    """A batch begins a trace of its own; each different context is one link, what is none is none, 128 are the most."""
    assert made(spans, traces=(FIRST, None, SECOND, "garbage", FIRST, 7)) == ("", [FIRST, SECOND])
    assert made(spans, traces=(FIRST, None)) == ("", [FIRST])
    many = tuple(f"00-{number:032x}-{number:016x}-01" for number in range(1, 201))
    assert made(spans, traces=many) == ("", [*many[:128]])


def test_an_exception_is_told_by_name(spans: InMemorySpanExporter) -> None:
    """The span fails with the failure's code or the error's class; the text, which may hold data, does not leave."""
    for error in (DependencyUnavailable("secret", code="down"), ValueError("secret")):
        with pytest.raises(type(error)), span("x", "client"):
            raise error
    found = spans.get_finished_spans()
    assert [one.attributes and one.attributes["error.type"] for one in found] == ["down", "ValueError"]
    assert not any(one.status.is_ok for one in found)
    assert "secret" not in "".join(one.to_json() for one in found)


@pytest.mark.parametrize(
    ("body", "headers"), [(b"", ()), (EVENT, (STRUCTURED,)), ([EVENT, EVENT | {"id": "2"}], (BATCH,))]
)
async def test_emit_traces_request_and_produce(
    spans: InMemorySpanExporter, body: object, headers: tuple[tuple[str, str], ...]
) -> None:
    """The request continues the caller's trace, the produce is its child, and the events carry the request's span."""
    producer = RecordingProducer()
    app = FunctionApp(EmitToList(producer), MetricsPage(EmitToList(producer).registry, address="127.0.0.1", port=0))
    answer = await post(app, body, *headers, ("traceparent", FIRST))
    assert answer.status == 202
    produce, request = spans.get_finished_spans()
    assert (request.name, request.kind) == ("emit", SpanKind.SERVER)
    assert request.parent is not None
    assert contexts(request.parent) == [FIRST]
    assert (produce.name, produce.kind) == ("publish signal-events", SpanKind.PRODUCER)
    assert produce.parent == request.get_span_context()
    assert {header(record, "ce_traceparent") for record in producer.records} == {*contexts(request.get_span_context())}


async def test_an_events_own_trace_stays_its_own(spans: InMemorySpanExporter) -> None:
    """What came with an event is carried on as it is, whoever traces."""
    producer = RecordingProducer()
    app = FunctionApp(EmitToList(producer), MetricsPage(EmitToList(producer).registry, address="127.0.0.1", port=0))
    await post(app, EVENT | {"traceparent": THIRD}, STRUCTURED, ("traceparent", FIRST))
    assert header(producer.records[0], "ce_traceparent") == THIRD
    request = spans.get_finished_spans()[-1]
    assert contexts(*(link.context for link in request.links)) == [THIRD]


@pytest.mark.parametrize(
    ("endpoint", "level", "told"),
    [("", "info", "OTEL_EXPORTER_OTLP_ENDPOINT is not set"), ("http://x", "warning", "[otel] is not installed")],
)
def test_the_log_says_why_it_is_off(monkeypatch: pytest.MonkeyPatch, endpoint: str, level: str, told: str) -> None:
    """Off because nobody asked, or because what it takes is not installed: one line says which."""
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with capture_logs() as lines:
        start_tracing(service="emit", endpoint=endpoint)
    (line,) = lines
    assert (line["event"], line["log_level"]) == ("tracing_off", level)
    assert told in line["detail"]
    assert tracing._provider is None
    assert current_trace() is None
