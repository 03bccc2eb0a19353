"""Spans, for whoever has a collector: off unless OTEL_EXPORTER_OTLP_ENDPOINT is set and the extra `otel` is installed.

What each part tells:
    emit        one span per produce, within the request's
    trigger     one span per delivery
    function    one span per request with events, within the delivery's
A single event's own trace context is the parent where nothing nearer is; those of a batch are links, for a span has
one parent. While it is off nothing is imported, and a span costs a look at one variable. Other standard OTEL_ variables
(headers, sampler, time limits) are read by OpenTelemetry itself.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

from signal_pipeline import __version__
from signal_pipeline.domain.trace_ids import sound_traceparent
from signal_pipeline.errors import PipelineError
from signal_pipeline.observability.logs import get_logger

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import SpanContext

__all__ = ["current_trace", "fail_span", "span", "start_tracing", "stop_tracing", "trace_with"]

Kind = Literal["server", "client", "producer"]
_ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
_MOST_LINKS: Final = 128  # as many as OpenTelemetry keeps of one span
_OFF: Final = nullcontext()
_provider: "TracerProvider | None" = None


def start_tracing(*, service: str, endpoint: str) -> None:
    """Begin to send spans, in the process that serves; says in the log whether and where to.

    Args:
        service: Name of the process, such as `emit` or `emit-trigger`.
        endpoint: Base address of an OTLP/HTTP collector; empty leaves tracing off.
    """
    if not endpoint:
        get_logger().info("tracing_off", detail=f"{_ENDPOINT} is not set")
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError:
        get_logger().warning("tracing_off", detail=f"{_ENDPOINT} is set, and signal-pipeline[otel] is not installed")
        return
    name = os.environ.get("OTEL_SERVICE_NAME") or service
    described = {"service.name": name, "service.namespace": "signal-pipeline", "service.version": __version__}
    provider = TracerProvider(resource=Resource.create(described))
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace_with(provider)
    # Of the address only the host: what stands before it may be a password.
    get_logger().info("tracing_on", collector=urlsplit(endpoint).netloc.rpartition("@")[2], service=name)


def trace_with(provider: "TracerProvider | None") -> None:
    """Make spans with a provider from now on; None makes none."""
    global _provider  # noqa: PLW0603 - one a process, as OpenTelemetry itself has it
    _provider = provider


def stop_tracing() -> None:
    """Send what was not sent yet, and make no more spans; blocks for some seconds while no collector answers."""
    provider = _provider
    trace_with(None)
    if provider is not None:
        provider.shutdown()


def span(
    name: str,
    kind: Kind,
    *,
    parent: object = None,
    traces: Iterable[object] = (),
    attributes: Mapping[str, str | int] | None = None,
) -> AbstractContextManager[None]:
    """Return what to do the work in: a span that ends with it and tells of an exception by its name alone.

    Args:
        name: What is done, with a bounded number of different names.
        kind: Which side of a call it is.
        parent: Trace context of the caller; without a sound one the current span is the parent.
        traces: Trace contexts of the events, with None where one has none; read only while tracing is on.
        attributes: What else is known, by OpenTelemetry's names; no data of events.
    """
    if _provider is None:
        return _OFF
    return _span(_provider, name, kind, parent, list(traces), attributes)


def fail_span(code: str) -> None:
    """Mark the current span as failed, by the code of a failure."""
    if _provider is None:
        return
    from opentelemetry.trace import StatusCode, get_current_span  # noqa: PLC0415 - an extra

    current = get_current_span()
    current.set_status(StatusCode.ERROR)
    current.set_attribute("error.type", code)


def current_trace() -> str | None:
    """Return the W3C trace context of the current span, for what it causes; None while tracing is off."""
    if _provider is None:
        return None
    from opentelemetry.trace import get_current_span  # noqa: PLC0415 - an extra

    context = get_current_span().get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}" if context.is_valid else None


@contextmanager
def _span(
    provider: "TracerProvider",
    name: str,
    kind: Kind,
    parent: object,
    traces: list[object],
    attributes: Mapping[str, str | int] | None,
) -> Iterator[None]:
    from opentelemetry import trace  # noqa: PLC0415 - an extra

    own = list(dict.fromkeys(sound for one in traces if (sound := sound_traceparent(one))))
    near = sound_traceparent(parent) or (own[0] if len(traces) == len(own) == 1 else None)
    links = [trace.Link(_context_of(one)) for one in own[:_MOST_LINKS] if one != near]
    above = trace.set_span_in_context(trace.NonRecordingSpan(_context_of(near))) if near else None
    tracer = provider.get_tracer("signal_pipeline", __version__)
    made = tracer.start_as_current_span(
        name,
        context=above,
        kind=trace.SpanKind[kind.upper()],
        links=links,
        attributes=attributes,
        record_exception=False,  # its text and its frames may hold data
        set_status_on_exception=False,
    )
    with made:
        try:
            yield
        except BaseException as exc:
            fail_span(exc.failure.code if isinstance(exc, PipelineError) else type(exc).__name__)
            raise


def _context_of(traceparent: str) -> "SpanContext":
    from opentelemetry.trace import SpanContext, TraceFlags  # noqa: PLC0415 - an extra

    _, trace_id, span_id, flags = traceparent.split("-")
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))
