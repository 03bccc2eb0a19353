"""Spans on their way to a collector: a receiver of OTLP over HTTP, a trigger's delivery and the function it calls."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import uvicorn
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from signal_pipeline.observability.metrics import DeliveryMetrics
from signal_pipeline.observability.tracing import start_tracing, stop_tracing
from signal_pipeline.serving.app import FunctionApp
from signal_pipeline.serving.metrics_page import MetricsPage
from signal_pipeline.trigger.delivery import FunctionClient
from tests.contract.client import free_port
from tests.contract.emit_app import KEY, EmitToList, RecordingProducer
from tests.support.waiting import wait_for
from tests.unit.trigger.conftest import TRIGGER, record

_TRACES = [f"00-{digit * 32}-{digit * 16}-01" for digit in "12"]


class Collector:
    """Takes spans as a collector does, and keeps them.

    Attributes:
        requests: What was sent, parsed.
        address: Where it listens.
    """

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.address = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    @property
    def spans(self) -> dict[str, Span]:
        """All spans by name."""
        scopes = [scope for each in self.requests for found in each.resource_spans for scope in found.scope_spans]
        return {span.name: span for scope in scopes for span in scope.spans}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                known = (self.path, self.headers["Content-Type"]) == ("/v1/traces", "application/x-protobuf")
                if known:
                    collector.requests.append(ExportTraceServiceRequest.FromString(body))
                self.send_response(200 if known else 400)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
                """Say nothing."""

        return Handler


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A collector on this machine, which no proxy needs to reach."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    monkeypatch.delenv("OTEL_SERVICE_NAME", raising=False)
    running = Collector()
    yield running
    stop_tracing()
    running.close()


async def test_a_delivery_and_its_request_are_one_trace(collector: Collector) -> None:
    """Linked to the trace of each event, from the trigger through the function to what that produces."""
    producer = RecordingProducer()
    function = EmitToList(producer)
    app = FunctionApp(function, MetricsPage(function.registry, address="127.0.0.1", port=0))
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(_with_key(app), host="127.0.0.1", port=port, log_level="warning"))
    serving = asyncio.create_task(server.serve())
    await asyncio.to_thread(wait_for, lambda: server.started, seconds=20, what="a function that serves")
    with capture_logs() as lines:
        start_tracing(service="process-signal-trigger", endpoint=f"http://user:secret@{collector.address}/")
    assert [(line["event"], line["collector"]) for line in lines] == [("tracing_on", collector.address)]
    target = replace(TRIGGER, url=f"http://127.0.0.1:{port}/emit", timeout_seconds=20)
    async with FunctionClient(target, DeliveryMetrics(CollectorRegistry())) as client:
        answer = await client.deliver([_traced(n, trace) for n, trace in enumerate(_TRACES)], batch=True)
    assert (answer.failures, answer.whole) == ({}, None)
    server.should_exit = True
    await serving
    await asyncio.to_thread(stop_tracing)
    _check(collector)


def _check(collector: Collector) -> None:
    spans = collector.spans
    delivery, request, produce = (spans[name] for name in ("deliver process-signal", "emit", "publish signal-events"))
    assert delivery.parent_span_id == b""
    assert request.parent_span_id == delivery.span_id
    assert produce.parent_span_id == request.span_id
    assert delivery.trace_id == request.trace_id == produce.trace_id
    for span in (delivery, request):
        assert [link.trace_id.hex() for link in span.links] == [trace.split("-")[1] for trace in _TRACES]
    (resource,) = {found.resource.SerializeToString() for each in collector.requests for found in each.resource_spans}
    assert b"process-signal-trigger" in resource


def _traced(number: int, trace: str) -> object:
    one = record(0, number, f"event-{number}")
    return one._replace(headers=(*one.headers, ("ce_traceparent", trace.encode())))


def _with_key(app: FunctionApp) -> object:
    """Return emit behind the API key, which a trigger does not send."""

    async def keyed(scope: dict, receive: object, send: object) -> None:  # type: ignore[type-arg]
        if scope["type"] != "http":
            return
        name, value = KEY
        await app({**scope, "headers": [*scope["headers"], (name.encode(), value.encode())]}, receive, send)  # type: ignore[arg-type]

    return keyed
