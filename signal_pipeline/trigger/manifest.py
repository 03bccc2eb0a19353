"""Reads `triggers/<role>.yaml`: Knative manifests, our batch controls as annotations.

KafkaSource       consumes topics                    -> KafkaTrigger
PingSource        posts at an interval               -> ScheduleTrigger
ContainerSource   runs this trigger as a rate source -> RateTrigger
KafkaSink         names the topic that a dead-letter reference means; kept in `triggers/kafka-sinks.yaml`

What a cluster understands stands in `spec`, what only this trigger understands in annotations `signal-pipeline.dev/…`.
Of a sink the reference is used, resolved to the address in the settings; `bootstrapServers` is overridden by
KAFKA_BOOTSTRAP_SERVERS, because a manifest is written for a cluster.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from signal_pipeline.domain.retry import Backoff
from signal_pipeline.errors import ConfigurationError
from signal_pipeline.settings import Settings
from signal_pipeline.trigger.schema import ContainerSource, KafkaSink, KafkaSource, PingSource, Sink

__all__ = ["KafkaTrigger", "RateTrigger", "ScheduleTrigger", "Trigger", "load_triggers"]

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


def load_triggers(role: str, settings: Settings, *, folder: Path = Path("triggers")) -> tuple[Trigger, ...]:
    """Read the triggers of a role.

    Raises:
        ConfigurationError: a file is missing or a field is wrong; the message names file, manifest and field.
    """
    sinks = _kafka_sinks(folder / SINKS_FILE)
    path = folder / f"{role}.yaml"
    triggers = tuple(_trigger(document, path, settings, sinks) for document in _documents(path))
    if not triggers:
        raise ConfigurationError(f"{path} describes no source")
    return triggers


def _documents(path: Path) -> list[Mapping[str, Any]]:
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


def _kafka_sinks(path: Path) -> dict[str, str]:
    sinks = [_parsed(KafkaSink, document, path) for document in _documents(path)]
    return {sink.metadata.name: sink.spec.topic for sink in sinks}


def _parsed(model: type[_Model], document: Mapping[str, Any], path: Path) -> _Model:
    try:
        return model.model_validate(document)
    except ValidationError as exc:
        error = exc.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in error["loc"])
        raise ConfigurationError(f"{path}: {document.get('kind')}: {field}: {error['msg']}") from exc


def _trigger(document: Mapping[str, Any], path: Path, settings: Settings, sinks: Mapping[str, str]) -> Trigger:
    model = _SOURCES.get(str(document.get("kind")))
    if model is None:
        raise ConfigurationError(f"{path}: kind {document.get('kind')!r} is none of {', '.join(_SOURCES)}")
    source = _parsed(model, document, path)
    match source:
        case KafkaSource():
            return _kafka_trigger(source, path, settings, sinks)
        case PingSource():
            return _schedule_trigger(source, path, settings)
        case ContainerSource():
            return _rate_trigger(source, path, settings)


def _kafka_trigger(source: KafkaSource, path: Path, settings: Settings, sinks: Mapping[str, str]) -> KafkaTrigger:
    spec, ours, delivery = source.spec, source.metadata.annotations, source.spec.delivery
    backoff = Backoff(
        base_seconds=delivery.backoff_delay.total_seconds(),
        cap_seconds=ours.backoff_cap.total_seconds(),
        linear=delivery.backoff_policy == "linear",
    )
    return KafkaTrigger(
        name=source.metadata.name,
        function=spec.sink.ref.name,
        url=_url(spec.sink, path, settings),
        topics=tuple(spec.topics),
        group=spec.consumer_group,
        source=f"/apis/v1/namespaces/{source.metadata.namespace}/kafkasources/{source.metadata.name}",
        offset_reset=spec.initial_offset,
        protocol=ours.group_protocol,
        batch=ours.mode == "batch",
        batch_events=ours.batch_size,
        batch_bytes=ours.batch_bytes,
        batch_window_seconds=ours.batch_window.total_seconds(),
        in_flight=ours.in_flight,
        max_attempts=delivery.retry + 1,
        backoff=backoff,
        timeout_seconds=delivery.timeout.total_seconds(),
        dead_letter_topic=_sink_topic(delivery.dead_letter_sink.ref.name, spec.topics, path, sinks),
        quarantine_topic=_sink_topic(ours.quarantine_sink, spec.topics, path, sinks) if ours.quarantine_sink else None,
        max_event_age_seconds=ours.max_event_age.total_seconds() if ours.max_event_age else None,
        wrap_record=ours.wrap == "record",
        credential=_credential(settings),
    )


def _schedule_trigger(source: PingSource, path: Path, settings: Settings) -> ScheduleTrigger:
    return ScheduleTrigger(
        name=source.metadata.name,
        url=_url(source.spec.sink, path, settings),
        interval_seconds=source.metadata.annotations.interval.total_seconds(),
        content_type=source.spec.content_type,
        body=source.spec.data.encode(),
        credential=_credential(settings),
    )


def _rate_trigger(source: ContainerSource, path: Path, settings: Settings) -> RateTrigger:
    return RateTrigger(
        name=source.metadata.name,
        url=_url(source.spec.sink, path, settings),
        in_flight=source.metadata.annotations.in_flight,
    )


def _credential(settings: Settings) -> dict[str, str]:
    return {"x-api-key": settings.service_api_keys[0]} if settings.secured else {}


def _url(sink: Sink, path: Path, settings: Settings) -> str:
    try:
        address = settings.function_url(sink.ref.name)
    except LookupError as exc:
        raise ConfigurationError(f"{path}: spec.sink.ref.name: {exc}") from exc
    return address.rstrip("/") + (sink.uri or "/")


def _sink_topic(name: str, topics: Sequence[str], path: Path, sinks: Mapping[str, str]) -> str:
    if name not in sinks:
        raise ConfigurationError(f"{path}: no KafkaSink {name!r} in {SINKS_FILE}")
    if sinks[name] in topics:
        raise ConfigurationError(f"{path}: dead letters of {sinks[name]!r} would go back to {sinks[name]!r}")
    return sinks[name]
