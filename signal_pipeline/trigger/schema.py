"""The parts of Knative's manifests that a trigger reads, as pydantic models; the rest is the cluster's business.

Durations are ISO 8601, as in Knative's delivery block: `PT0.2S`.
"""

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

__all__ = ["ContainerSource", "KafkaSink", "KafkaSource", "PingSource", "Sink"]

_PREFIX = "signal-pipeline.dev/"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore")


def _our_annotations(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    # An unknown annotation of ours is a typing error that would otherwise silently mean the default.
    return {key.removeprefix(_PREFIX): text for key, text in value.items() if str(key).startswith(_PREFIX)}


def _kebab(name: str) -> str:
    return name.replace("_", "-")


class _Annotations(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=_kebab, extra="forbid")


_Positive = Annotated[timedelta, Field(gt=timedelta(0))]


class KafkaAnnotations(_Annotations):
    """Controls of a Kafka trigger; every one is described at `manifest.KafkaTrigger`."""

    mode: Literal["single", "batch"] = "batch"
    batch_size: int = Field(1000, ge=1, le=10_000)
    batch_bytes: int = Field(1024 * 1024, ge=1024, le=16 * 1024 * 1024)
    batch_window: timedelta = Field(timedelta(milliseconds=5), ge=timedelta(0), le=timedelta(seconds=10))
    in_flight: int = Field(2, ge=1, le=64)
    backoff_cap: _Positive = timedelta(seconds=30)
    max_event_age: _Positive | None = None
    quarantine_sink: str | None = None
    wrap: Literal["event", "record"] = "event"
    wire: Literal["cloudevents", "openfaas"] = "cloudevents"
    group_protocol: Literal["classic", "consumer"] = "classic"


class ScheduleAnnotations(_Annotations):
    """Controls of a schedule: cron has no seconds, so the interval stands here."""

    interval: _Positive


class RateAnnotations(_Annotations):
    """Controls of a rate source."""

    source: Literal["rate"]
    in_flight: int = Field(4, ge=1, le=64)


class _Metadata(_Part):
    name: str = Field(min_length=1)
    namespace: str = "default"


class _KafkaMetadata(_Metadata):
    annotations: Annotated[KafkaAnnotations, BeforeValidator(_our_annotations)] = KafkaAnnotations()


class _ScheduleMetadata(_Metadata):
    annotations: Annotated[ScheduleAnnotations, BeforeValidator(_our_annotations)]


class _RateMetadata(_Metadata):
    annotations: Annotated[RateAnnotations, BeforeValidator(_our_annotations)]


class _Reference(_Part):
    kind: str
    name: str = Field(min_length=1)


class Sink(_Part):
    """Where a source delivers: a referenced function, and a path on it."""

    ref: _Reference
    uri: str | None = Field(None, pattern="^/")


class _DeadLetterSink(_Part):
    ref: _Reference


class _Delivery(_Part):
    retry: int = Field(4, ge=0, le=100)
    backoff_policy: Literal["exponential", "linear"] = "exponential"
    backoff_delay: _Positive = timedelta(milliseconds=200)
    timeout: _Positive = timedelta(seconds=30)
    # Without one a failed event would be dropped.
    dead_letter_sink: _DeadLetterSink


class _KafkaSpec(_Part):
    topics: list[str] = Field(min_length=1)
    consumer_group: str = Field(min_length=1)
    initial_offset: Literal["earliest", "latest"] = "earliest"
    ordering: Literal["ordered", "unordered"] = "ordered"
    delivery: _Delivery
    sink: Sink


class _PingSpec(_Part):
    content_type: str = "application/json"
    data: str = "{}"
    sink: Sink


class _ContainerSpec(_Part):
    sink: Sink


class _SinkSpec(_Part):
    topic: str = Field(min_length=1)


class KafkaSource(_Part):
    """`sources.knative.dev/v1` KafkaSource. Order within a partition is kept whatever `ordering` says."""

    api_version: Literal["sources.knative.dev/v1"]
    metadata: _KafkaMetadata
    spec: _KafkaSpec


class PingSource(_Part):
    """`sources.knative.dev/v1` PingSource."""

    api_version: Literal["sources.knative.dev/v1"]
    metadata: _ScheduleMetadata
    spec: _PingSpec


class ContainerSource(_Part):
    """`sources.knative.dev/v1` ContainerSource whose container is this trigger."""

    api_version: Literal["sources.knative.dev/v1"]
    metadata: _RateMetadata
    spec: _ContainerSpec


class KafkaSink(_Part):
    """`eventing.knative.dev/v1alpha1` KafkaSink."""

    api_version: Literal["eventing.knative.dev/v1alpha1"]
    metadata: _Metadata
    spec: _SinkSpec
