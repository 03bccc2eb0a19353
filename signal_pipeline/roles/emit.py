"""emit: signals come in over HTTP and are published on `signal-events`.

no body, no CloudEvent        one sample signal
{"count": n}                  n sample signals
CloudEvents in any mode       those signals

The answer is 202 only when the broker has acknowledged every event it counts.
"""

import random
import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

import orjson
from prometheus_client import CollectorRegistry
from starlette.responses import Response
from starlette.routing import BaseRoute

from signal_pipeline.broker.producer import KafkaProducer, ProduceError
from signal_pipeline.domain.failures import Failure, FailureClass
from signal_pipeline.domain.samples import sample_signal
from signal_pipeline.domain.signals import signal_of
from signal_pipeline.errors import DependencyUnavailable, InvalidEvent, UnsupportedContent
from signal_pipeline.events.envelope import JSON_CONTENT_TYPE, MAX_EXTENSIONS, CloudEvent, RefusedEvent
from signal_pipeline.events.http import Request, decode_request, mode_of, refuse_encoding
from signal_pipeline.events.json_guard import check_value, load_json
from signal_pipeline.events.kafka import encode_record
from signal_pipeline.observability.metrics import EmitMetrics
from signal_pipeline.observability.tracing import current_trace, fail_span, span
from signal_pipeline.serving.access import Rule
from signal_pipeline.serving.answers import failed_results, json_response, problem_response
from signal_pipeline.serving.contracts import contract_routes
from signal_pipeline.serving.correlation import current_correlation_id, current_traceparent
from signal_pipeline.serving.credentials import SIGNALS_WRITE
from signal_pipeline.serving.directory import Directory
from signal_pipeline.serving.function import Function, Headers
from signal_pipeline.settings import Settings
from signal_pipeline.store.pool import Pool
from signal_pipeline.topology import SIGNAL_EVENTS

__all__ = ["Emit"]

_MAX_COUNT: Final = 10_000
_MAX_LISTED_IDS: Final = 1000
_UNKNOWN: Final = "outcome_unknown"
# The way to the row adds some: correlation id, trace context, partition, offset, dead-letter id.
_MAX_EXTENSIONS: Final = MAX_EXTENSIONS - 8
_POOL_SIZE: Final = 2  # asked one short question for each request that comes with a token or a key of the table
_FORMS: Final = (
    'send nothing for one sample signal, application/json {"count": n} for n of them, or a CloudEvent in binary, '
    "structured or batch mode"
)


class Emit(Function):
    """The role emit."""

    name: ClassVar[str] = "emit"
    event_paths: ClassVar[tuple[str, ...]] = ("/", "/emit")
    event_rule: ClassVar[Rule] = Rule(scope=SIGNALS_WRITE, always=True)

    def __init__(self, settings: Settings, registry: CollectorRegistry) -> None:
        super().__init__(settings, registry)
        self._metrics = EmitMetrics(registry)
        self._pool = Pool(settings.database_url.get_secret_value(), application_name=self.name, size=_POOL_SIZE)
        self._rng = random.Random(secrets.randbits(128))  # noqa: S311 - samples are no secrets, and are made by thousands
        self._producer: KafkaProducer | None = None

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes of the contracts: emit is where producers and consumers look first."""
        return contract_routes(self.access)

    def directory(self) -> Directory:
        """Return what PostgreSQL knows of callers; signals are taken while it does not answer, too."""
        return Directory(self._pool, outlives_outages=True)

    async def open(self) -> None:
        """Make the producer; it connects by itself."""
        self._producer = KafkaProducer(self.settings)

    async def close(self) -> None:
        """Wait for what is under way."""
        if self._producer is not None:
            await self._producer.close()
        await self._pool.close()

    async def check(self) -> Mapping[str, str | None]:
        """Return whether a broker answers."""
        return {"kafka": None if await self._connected().ready() else "no broker answers"}

    async def receive(self, headers: Headers, body: bytes) -> Response:
        """Publish the signals of a request, or the samples that it asks for."""
        if mode_of(headers) is None:
            count = _wanted_samples(headers, body)
            await self.access.charge(count - 1)
            with span(self.name, "server", parent=current_traceparent()):
                return _accepted(await self._publish_all(self._samples(count)))
        request = decode_request(headers, body)
        if not request.events:
            return _accepted([])
        await self.access.charge(len(request.events) - 1)
        verdicts = await self.verdicts(request)
        return _answer(request, verdicts)

    async def handle(self, events: Sequence[CloudEvent]) -> Sequence[Failure | None]:
        """Publish valid signals; what is no signal is refused and never produced."""
        now = datetime.now(UTC)
        verdicts = [_refusal(event, now) for event in events]
        good = [_stamped(event, now) for event, verdict in zip(events, verdicts, strict=True) if verdict is None]
        outcomes = iter(await self._publish(good) if good else ())
        return [verdict if verdict is not None else next(outcomes) for verdict in verdicts]

    async def _publish(self, events: Sequence[CloudEvent]) -> list[Failure | None]:
        started = time.perf_counter()
        with span(f"publish {SIGNAL_EVENTS.name}", "producer", attributes=_published(len(events))):
            records = [encode_record(event, topic=SIGNAL_EVENTS.name) for event in events]
            outcomes = await self._connected().produce(records)
            failed = sum(outcome is not None for outcome in outcomes)
            if failed:
                fail_span("not_acknowledged")
        self._metrics.latency.observe(time.perf_counter() - started)
        self._metrics.produced.inc(len(outcomes) - failed)
        self._metrics.errors.inc(failed)
        return [None if outcome is None else _failure(outcome) for outcome in outcomes]

    async def _publish_all(self, events: Sequence[CloudEvent]) -> list[str]:
        failures = [failure for failure in await self._publish(events) if failure is not None]
        if failures:
            # "Not accepted" is said of a request only when it is true of each of its signals.
            code = _speaker(failures).code if len(failures) == len(events) else _UNKNOWN
            raise DependencyUnavailable("Kafka did not acknowledge", code=code)
        return [event.id for event in events]

    def _samples(self, count: int) -> list[CloudEvent]:
        sending = _sending()
        return [self._sample(sending) for _ in range(count)]

    def _sample(self, sending: dict[str, Any]) -> CloudEvent:
        sample = sample_signal(time.time_ns(), datetime.now(UTC), self._rng)
        return CloudEvent(
            id=str(sample.id),
            source=sample.source,
            type=sample.type,
            subject=sample.user_id,
            time=sample.time,
            datacontenttype=JSON_CONTENT_TYPE,
            extensions=sending,
            data=sample.payload,
            data_json=orjson.dumps(sample.payload),
        )

    def _connected(self) -> KafkaProducer:
        if self._producer is None:
            raise DependencyUnavailable("the function is starting")
        return self._producer


def _wanted_samples(headers: Headers, body: bytes) -> int:
    """Return how many samples a request without a CloudEvent asks for."""
    if not body:
        return 1
    media_type = next((value for name, value in headers if name == "content-type"), "").partition(";")[0].strip()
    if media_type.lower() != JSON_CONTENT_TYPE:
        raise UnsupportedContent(_FORMS)
    refuse_encoding(headers)
    wanted, plain = load_json(body)
    check_value(wanted, plain=plain)
    if not isinstance(wanted, dict) or set(wanted) != {"count"}:
        raise InvalidEvent(_FORMS, code="unknown_form")
    count = wanted["count"]
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= _MAX_COUNT:
        raise InvalidEvent(f"count is a whole number from 1 to {_MAX_COUNT}", code="invalid_count")
    return count


def _published(count: int) -> dict[str, str | int]:
    """Return what a span tells of a produce."""
    return {
        "messaging.system": "kafka",
        "messaging.destination.name": SIGNAL_EVENTS.name,
        "messaging.batch.message_count": count,
    }


def _sending() -> dict[str, Any]:
    """Return the extensions by which the request that runs now is found again; an event's own ones come first."""
    trace = current_trace() or current_traceparent()
    ids = {"correlationid": current_correlation_id()}
    return ids if trace is None else {**ids, "traceparent": trace}


def _stamped(event: CloudEvent, now: datetime) -> CloudEvent:
    """Return the event with a time and the ids of its sending: stamped once, here, where it is accepted."""
    extensions = {**_sending(), **event.extensions}
    return CloudEvent(
        id=event.id,
        source=event.source,
        type=event.type,
        subject=event.subject,
        time=event.time or now,
        datacontenttype=event.datacontenttype,
        dataschema=event.dataschema,
        extensions=extensions,
        data=event.data,
        data_json=event.data_json,
        data_bytes=event.data_bytes,
    )


def _refusal(event: CloudEvent, now: datetime) -> Failure | None:
    """Return why an event is not published: whatever is accepted here must be storable later."""
    if len(event.extensions) > _MAX_EXTENSIONS:
        return Failure(
            failure_class=FailureClass.INVALID,
            code="invalid_attribute",
            detail=f"more than {_MAX_EXTENSIONS} extension attributes",
        )
    decided = signal_of(event, accepted_at=now)
    return decided if isinstance(decided, Failure) else None


def _speaker(failures: Sequence[Failure]) -> Failure:
    """Return the failure that speaks for a request of which nothing was acknowledged: the least definite one.

    A caller who hears that the outcome is unknown, or to come later, sends again and loses nothing.
    """
    unknown = [failure for failure in failures if failure.code == _UNKNOWN]
    temporary = [failure for failure in failures if failure.policy.retry_after_seconds is not None]
    return (unknown or temporary or failures)[0]


def _failure(error: ProduceError) -> Failure:
    if error.code == "message_too_large":
        return Failure(
            failure_class=FailureClass.INVALID, code="payload_too_large", detail="Kafka takes no such size", status=413
        )
    return Failure(failure_class=FailureClass.DEPENDENCY, code=error.code, detail="Kafka did not acknowledge")


def _accepted(ids: Sequence[str]) -> Response:
    return json_response({"accepted": len(ids), "ids": ids[:_MAX_LISTED_IDS]}, 202)


def _answer(request: Request, verdicts: Sequence[Failure | None]) -> Response:
    ids = [
        event.id
        for event, verdict in zip(request.events, verdicts, strict=True)
        if verdict is None and not isinstance(event, RefusedEvent)
    ]
    failures = [verdict for verdict in verdicts if verdict is not None]
    if not failures:
        return _accepted(ids)
    if not ids:  # nothing is durable, so the answer is no success
        return problem_response(_speaker(failures))
    results = failed_results(request, verdicts)
    return json_response({"accepted": len(ids), "ids": ids[:_MAX_LISTED_IDS], "results": results}, 207)
