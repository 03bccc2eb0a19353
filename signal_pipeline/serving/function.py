"""What a role is to the serving layer: a few coroutines around one decision."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import ClassVar

from prometheus_client import CollectorRegistry
from starlette.responses import Response
from starlette.routing import BaseRoute

from signal_pipeline.domain.failures import Failure
from signal_pipeline.events.envelope import MAX_EVENT_BYTES, CloudEvent, RefusedEvent
from signal_pipeline.events.http import Request, decode_request
from signal_pipeline.observability.metrics import CoalescingMetrics, RateLimitMetrics, RequestMetrics
from signal_pipeline.observability.tracing import fail_span, span
from signal_pipeline.security.limits import limiter_of
from signal_pipeline.serving.access import INTERNAL, Access, Rule
from signal_pipeline.serving.answers import verdict_response
from signal_pipeline.serving.coalescing import Coalescer
from signal_pipeline.serving.correlation import current_traceparent
from signal_pipeline.serving.credentials import Credentials
from signal_pipeline.serving.directory import Directory
from signal_pipeline.serving.refusal_log import RefusalLog
from signal_pipeline.settings import Settings

__all__ = ["Function", "Headers"]

Headers = Sequence[tuple[str, str]]


class Function:
    """One role. Delivery contract: an event is answered as a success only when its effect is durable.

    Attributes:
        name: Name of the role in `topology.ROLES`.
        event_paths: Where events are posted; empty for a role that takes none.
        event_rule: Who may post them.
        max_event_bytes: Largest data of one event; None for a role that does not look at data.
        writes_together: Whether many events cost `handle` about as much as one, so that requests share a write.
    """

    name: ClassVar[str]
    event_paths: ClassVar[tuple[str, ...]] = ("/",)
    event_rule: ClassVar[Rule] = INTERNAL
    max_event_bytes: ClassVar[int | None] = MAX_EVENT_BYTES
    writes_together: ClassVar[bool] = False

    def __init__(self, settings: Settings, registry: CollectorRegistry) -> None:
        self.settings = settings
        self.registry = registry
        self.http_metrics = RequestMetrics(registry)
        self.limit_metrics = RateLimitMetrics(registry)
        self._log = RefusalLog()
        self._coalescer = self._made_coalescer() if settings.coalesce_requests else None

    @cached_property
    def access(self) -> Access:
        """Who may call what, and how often; while Redis does not answer, how often is decided in this process."""
        limiter = limiter_of(self.settings, self.limit_metrics, on_failure="local")
        return Access(self.settings, Credentials(self.settings, self.directory()), limiter)

    def directory(self) -> Directory | None:
        """Return who knows API keys and logins; None for a function that only the pipeline itself calls."""
        return None

    async def open(self) -> None:
        """Make the clients, in the worker. Must not fail or wait when a dependency is down."""

    async def drain(self) -> None:
        """Wait for writes that outlived their requests; called once no request is in flight, before `close`."""
        if self._coalescer is not None:
            await self._coalescer.drain()

    async def close(self) -> None:
        """Close the clients; called once no request is in flight."""

    async def check(self) -> Mapping[str, str | None]:
        """Return for each dependency None when it works, else what is wrong."""
        return {}

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes beyond events, health and metrics."""
        return ()

    async def receive(self, headers: Headers, body: bytes) -> Response:
        """Answer a request on one of the event paths.

        Raises:
            PipelineError: the request as a whole fails; serving answers it.
        """
        request = decode_request(headers, body, max_event_bytes=self.max_event_bytes)
        return verdict_response(request, await self.verdicts(request))

    async def verdicts(self, request: Request) -> list[Failure | None]:
        """Return one verdict per event of the request, in its order; None means durable."""
        events = [event for event in request.events if isinstance(event, CloudEvent)]
        traces = (event.extensions.get("traceparent") for event in events)
        carried = {"messaging.batch.message_count": len(request.events)}
        with span(self.name, "server", parent=current_traceparent(), traces=traces, attributes=carried):
            verdicts = await self._verdicts(request)
            if verdicts and verdicts[0] is not None and all(verdicts):
                fail_span(verdicts[0].code)
            return verdicts

    async def _verdicts(self, request: Request) -> list[Failure | None]:
        valid = [event for event in request.events if isinstance(event, CloudEvent)]
        handled = iter(await self._handled(request, valid) if valid else ())
        verdicts = [
            self.refuse(event) if isinstance(event, RefusedEvent) else next(handled) for event in request.events
        ]
        for event, verdict in zip(request.events, verdicts, strict=True):
            if verdict is not None:
                self.http_metrics.refused.labels(verdict.failure_class.value).inc()
                self._log.refused(event, verdict)
        return verdicts

    async def _handled(self, request: Request, valid: Sequence[CloudEvent]) -> Sequence[Failure | None]:
        # A batch is gathered already, and its sender splits it when it fails: it keeps a write of its own.
        if self._coalescer is None or len(request.events) > 1:
            return await self.handle(valid)
        return [await self._coalescer.submit(valid[0])]

    def _made_coalescer(self) -> Coalescer | None:
        if not (self.writes_together and self.event_paths):
            return None
        events = CoalescingMetrics(self.registry).events
        # One write holds no more data than one batch may.
        return Coalescer(self.handle, most_bytes=self.settings.max_body_bytes, observe=events.observe)

    def refuse(self, event: RefusedEvent) -> Failure | None:
        """Return the verdict on an event that is not valid."""
        return event.failure

    async def handle(self, events: Sequence[CloudEvent]) -> Sequence[Failure | None]:
        """Make the events' effects durable and return one verdict each.

        Raises:
            PipelineError: none of the events is durable, for the same reason.
        """
        raise NotImplementedError
