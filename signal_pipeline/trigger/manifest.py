"""Reads `triggers/<role>.yaml`: Knative manifests, our batch controls as annotations.

KafkaSource       consumes topics                    -> KafkaTrigger
PingSource        posts at an interval               -> ScheduleTrigger
ContainerSource   runs this trigger as a rate source -> RateTrigger
KafkaSink         names the topic that a dead-letter reference means; kept in `triggers/kafka-sinks.yaml`

What a cluster understands stands in `spec`, what only this trigger understands in annotations `signal-pipeline.dev/…`.
Of a sink the reference is used, resolved to the address in the settings; `bootstrapServers` is overridden by
KAFKA_BOOTSTRAP_SERVERS, because a manifest is written for a cluster. In one, where this trigger is the container of a
ContainerSource or the subject of a SinkBinding, the address is the injected K_SINK. K_CE_OVERRIDES is not read: events
are delivered with the attributes that they have. Nor is K_CA_CERTS: whom to trust is TLS_CA_FILE.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from signal_pipeline.domain.retry import Backoff
from signal_pipeline.errors import ConfigurationError
from signal_pipeline.resources import TRIGGERS
from signal_pipeline.settings import Settings
from signal_pipeline.trigger.schema import ContainerSource, KafkaSink, KafkaSource, PingSource, Sink

__all__ = [
    "KafkaTrigger",
    "RateTrigger",
    "Reading",
    "ScheduleTrigger",
    "Trigger",
    "documents_of",
    "load_triggers",
    "parsed_trigger",
    "sinks_of",
]

SINKS_FILE: Final = "kafka-sinks.yaml"
_Model = TypeVar("_Model", bound=BaseModel)
_SOURCES: Final[dict[str, type[KafkaSource | PingSource | ContainerSource]]] = {
    "KafkaSource": KafkaSource,
    "PingSource": PingSource,
    "ContainerSource": ContainerSource,
}


@dataclass(frozen=True, kw_only=True)
class KafkaTrigger:
    """Topics whose records are delivered to a function.

    Attributes:
        name: Name of the manifest.
        function: Function that is called.
        url: Its address.
        topics: Topics to consume.
        group: Consumer group.
        source: Address that plain records are said to come from, without the topic.
        offset_reset: `earliest` or `latest`, for a new group.
        protocol: `classic`, or `consumer` for KIP-848.
        batch: Deliver batches; else one event a request.
        batch_events: Most events of a delivery.
        batch_bytes: Most bytes of keys, values and headers of a delivery; a larger single record goes alone.
        batch_window_seconds: How long a delivery that is not full waits for more.
        in_flight: Deliveries under way at once.
        max_attempts: Deliveries of an event that fails as `unexpected` before it is dead-lettered.
        backoff: Delays between them.
        timeout_seconds: Longest wait for an answer.
        dead_letter_topic: Where events go that are given up.
        quarantine_topic: Where events go that expired.
        max_event_age_seconds: Age by the broker's timestamp at which an event expires; None never.
        wrap_record: Deliver the record itself instead of the event that it carries.
        wire: `cloudevents`, or `openfaas`: one record a request, as OpenFaaS' own connector posts it.
        through_gateway: The function is called through OpenFaaS' gateway, which answers in its place while it is away.
        credential: The header by which the function knows this trigger; empty with security off.
    """

    name: str
    function: str
    url: str
    topics: tuple[str, ...]
    group: str
    source: str
    offset_reset: Literal["earliest", "latest"]
    protocol: Literal["classic", "consumer"]
    batch: bool
    batch_events: int
    batch_bytes: int
    batch_window_seconds: float
    in_flight: int
    max_attempts: int
    backoff: Backoff
    timeout_seconds: float
    dead_letter_topic: str
    quarantine_topic: str | None
    max_event_age_seconds: float | None
    wrap_record: bool
    wire: Literal["cloudevents", "openfaas"] = "cloudevents"
    through_gateway: bool = False
    credential: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, kw_only=True)
class ScheduleTrigger:
    """A request at a steady interval.

    Attributes:
        name: Name of the manifest.
        url: Address that is posted to.
        interval_seconds: Time between two posts.
        content_type: Content type of the body.
        body: Body.
        credential: The header by which the function knows this trigger; empty with security off.
    """

    name: str
    url: str
    interval_seconds: float
    content_type: str
    body: bytes
    credential: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, kw_only=True)
class RateTrigger:
    """Sample signals asked of emit at a steady rate; rate and batch size are settings.

    Attributes:
        name: Name of the manifest.
        url: Address that is posted to.
        in_flight: Requests under way at once.
    """

    name: str
    url: str
    in_flight: int


Trigger = KafkaTrigger | ScheduleTrigger | RateTrigger


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What manifests are read with.

    Attributes:
        path: Where they stand, for messages.
        settings: Credentials.
        sinks: Topic of each KafkaSink.
        address: Address of a function; `LookupError` when there is none of that name.
        through_gateway: The addresses are those of OpenFaaS' gateway.
    """

    path: Path
    settings: Settings
    sinks: Mapping[str, str]
    address: Callable[[str], str]
    through_gateway: bool = False


def load_triggers(role: str, settings: Settings, *, folder: Path = TRIGGERS) -> tuple[Trigger, ...]:
    """Read the triggers of a role.

    Raises:
        ConfigurationError: a file is missing or a field is wrong; the message names file, manifest and field.
    """
    path = folder / f"{role}.yaml"
    reading = Reading(path=path, settings=settings, sinks=sinks_of(folder), address=settings.function_url)
    triggers = tuple(parsed_trigger(document, reading) for document in documents_of(path))
    if not triggers:
        raise ConfigurationError(f"{path} describes no source")
    return triggers


def documents_of(path: Path) -> list[Mapping[str, Any]]:
    """Return the manifests of a file; `ConfigurationError` when it cannot be read."""
    try:
        documents = [one for one in yaml.safe_load_all(path.read_text()) if one is not None]
    except OSError as exc:
        raise ConfigurationError(f"cannot read {path}: {exc.strerror}") from exc
    except yaml.YAMLError as exc:
        raise ConfigurationError(f"{path} is not YAML: {exc}") from exc
    for document in documents:
        if not isinstance(document, dict):
            raise ConfigurationError(f"{path}: a manifest is a mapping")
    return documents


def sinks_of(folder: Path) -> dict[str, str]:
    """Return the topic of each KafkaSink by its name; `ConfigurationError` when their file is wrong."""
    path = folder / SINKS_FILE
    sinks = [_parsed(KafkaSink, document, path) for document in documents_of(path)]
    return {sink.metadata.name: sink.spec.topic for sink in sinks}


def _parsed(model: type[_Model], document: Mapping[str, Any], path: Path) -> _Model:
    try:
        return model.model_validate(document)
    except ValidationError as exc:
        error = exc.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in error["loc"])
        raise ConfigurationError(f"{path}: {document.get('kind')}: {field}: {error['msg']}") from exc


def parsed_trigger(document: Mapping[str, Any], reading: Reading) -> Trigger:
    """Return what a manifest describes; `ConfigurationError` names the field that is wrong."""
    model = _SOURCES.get(str(document.get("kind")))
    if model is None:
        raise ConfigurationError(f"{reading.path}: kind {document.get('kind')!r} is none of {', '.join(_SOURCES)}")
    source = _parsed(model, document, reading.path)
    match source:
        case KafkaSource():
            return _kafka_trigger(source, reading)
        case PingSource():
            return _schedule_trigger(source, reading)
        case ContainerSource():
            return _rate_trigger(source, reading)


def _kafka_trigger(source: KafkaSource, reading: Reading) -> KafkaTrigger:
    spec, ours, delivery = source.spec, source.metadata.annotations, source.spec.delivery
    backoff = Backoff(
        base_seconds=delivery.backoff_delay.total_seconds(),
        cap_seconds=ours.backoff_cap.total_seconds(),
        linear=delivery.backoff_policy == "linear",
    )
    return KafkaTrigger(
        name=source.metadata.name,
        function=spec.sink.ref.name,
        url=_url(spec.sink, reading),
        topics=tuple(spec.topics),
        group=spec.consumer_group,
        source=f"/apis/v1/namespaces/{source.metadata.namespace}/kafkasources/{source.metadata.name}",
        offset_reset=spec.initial_offset,
        protocol=ours.group_protocol,
        batch=ours.mode == "batch" and ours.wire == "cloudevents",
        batch_events=ours.batch_size,
        batch_bytes=ours.batch_bytes,
        batch_window_seconds=ours.batch_window.total_seconds(),
        in_flight=ours.in_flight,
        max_attempts=delivery.retry + 1,
        backoff=backoff,
        timeout_seconds=delivery.timeout.total_seconds(),
        dead_letter_topic=_sink_topic(delivery.dead_letter_sink.ref.name, spec.topics, reading),
        quarantine_topic=_sink_topic(ours.quarantine_sink, spec.topics, reading) if ours.quarantine_sink else None,
        max_event_age_seconds=ours.max_event_age.total_seconds() if ours.max_event_age else None,
        wrap_record=ours.wrap == "record",
        wire=ours.wire,
        through_gateway=reading.through_gateway,
        credential=_credential(reading.settings),
    )


def _schedule_trigger(source: PingSource, reading: Reading) -> ScheduleTrigger:
    return ScheduleTrigger(
        name=source.metadata.name,
        url=_url(source.spec.sink, reading),
        interval_seconds=source.metadata.annotations.interval.total_seconds(),
        content_type=source.spec.content_type,
        body=source.spec.data.encode(),
        credential=_credential(reading.settings),
    )


def _rate_trigger(source: ContainerSource, reading: Reading) -> RateTrigger:
    return RateTrigger(
        name=source.metadata.name,
        url=_url(source.spec.sink, reading),
        in_flight=source.metadata.annotations.in_flight,
    )


def _credential(settings: Settings) -> dict[str, str]:
    return {"x-api-key": settings.service_api_keys[0]} if settings.secured else {}


def _url(sink: Sink, reading: Reading) -> str:
    try:
        address = reading.address(sink.ref.name)
    except LookupError as exc:
        raise ConfigurationError(f"{reading.path}: spec.sink.ref.name: {exc}") from exc
    if reading.through_gateway:  # whose own form of a function's root has no slash at its end
        return address.rstrip("/") + (sink.uri or "")
    # Of a sink with a path, K_SINK has it already.
    injected = reading.settings.k_sink.removesuffix(sink.uri or "/")
    return (injected or address).rstrip("/") + (sink.uri or "/")


def _sink_topic(name: str, topics: Sequence[str], reading: Reading) -> str:
    path, sinks = reading.path, reading.sinks
    if name not in sinks:
        raise ConfigurationError(f"{path}: no KafkaSink {name!r} in {SINKS_FILE}")
    if sinks[name] in topics:
        raise ConfigurationError(f"{path}: dead letters of {sinks[name]!r} would go back to {sinks[name]!r}")
    return sinks[name]
