"""Topics: created when missing, their settings altered where they differ; partitions are never reduced.

`apply_topics` can be run again at any time, by several starters at once: the second finds nothing to do.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from signal_pipeline.broker.config import client_config
from signal_pipeline.errors import DependencyUnavailable
from signal_pipeline.settings import Settings
from signal_pipeline.topology import TOPICS, Topic

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["HEARTBEAT_TOPIC", "TopicChanges", "apply_topics", "wait_for_broker"]

# Debezium writes its heartbeat to `<topic.heartbeat.prefix>.<topic.prefix>`; topics are never created by themselves.
HEARTBEAT_TOPIC: Final = Topic(name="__debezium-heartbeat.signal-pipeline", partitions=1, max_message_bytes=1024 * 1024)
_REQUEST_SECONDS: Final = 30.0
_PROBE_SECONDS: Final = 2.0
# What is not read yet must outlast whatever keeps it from being read: a database that is down over a long weekend, a
# quarantine that nobody looks at before Monday. Against a forgotten run the bytes help.
_RETENTION_MS: Final = 7 * 24 * 60 * 60 * 1000
_RETENTION_BYTES: Final = 1024**3
_SMALLEST_SEGMENT: Final = 16 * 1024**2


@dataclass(frozen=True, kw_only=True)
class TopicChanges:
    """What `apply_topics` did.

    Attributes:
        created: Names of topics that were missing.
        altered: Names of topics whose settings differed.
        grown: Names of topics that had too few partitions.
    """

    created: tuple[str, ...]
    altered: tuple[str, ...]
    grown: tuple[str, ...]


def wait_for_broker(settings: Settings, *, timeout_seconds: float) -> AdminClient:
    """Return an admin client once a broker answers.

    Raises:
        DependencyUnavailable: none did in time.
    """
    admin = AdminClient({**client_config(settings), "reconnect.backoff.max.ms": 1000})
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            admin.list_topics(timeout=min(_PROBE_SECONDS, timeout_seconds))
        except KafkaException as exc:
            if time.monotonic() >= deadline:
                raise DependencyUnavailable(
                    f"no Kafka broker answers at {settings.kafka_bootstrap_servers}; see KAFKA_BOOTSTRAP_SERVERS"
                ) from exc
        else:
            return admin


def apply_topics(settings: Settings, *, timeout_seconds: float = _REQUEST_SECONDS) -> TopicChanges:
    """Bring the topics of the topology into being.

    Returns:
        What had to be changed; nothing on the second run.

    Raises:
        DependencyUnavailable: no broker answers, or it refused a change.
    """
    admin = wait_for_broker(settings, timeout_seconds=timeout_seconds)
    wanted = (*TOPICS, HEARTBEAT_TOPIC)
    found = admin.list_topics(timeout=_REQUEST_SECONDS).topics
    missing = [topic for topic in wanted if topic.name not in found]
    created = _create(admin, missing)
    present = [topic for topic in wanted if topic.name in found]
    return TopicChanges(
        created=created,
        altered=_alter(admin, present),
        grown=_grow(admin, [topic for topic in present if len(found[topic.name].partitions) < topic.partitions]),
    )


def topic_settings(topic: Topic) -> dict[str, str]:
    """Return the broker's settings of a topic: a week and a gigabyte, over all partitions, in segments that allow it.

    Retention counts per partition and whole segments only, so a topic's share is divided and cut into four.
    """
    share = _RETENTION_BYTES // topic.partitions
    return {
        "cleanup.policy": "delete",
        "max.message.bytes": str(topic.max_message_bytes),
        # An event's age, and whether a purge may have reached its row, must not hang on a producer's clock.
        "message.timestamp.type": "LogAppendTime",
        "retention.ms": str(_RETENTION_MS),
        "retention.bytes": str(share),
        "segment.bytes": str(max(share // 4, _SMALLEST_SEGMENT)),
        "segment.ms": str(_RETENTION_MS // 6),
    }


def _create(admin: AdminClient, topics: list[Topic]) -> tuple[str, ...]:
    if not topics:
        return ()
    requests = [NewTopic(topic.name, num_partitions=topic.partitions, config=topic_settings(topic)) for topic in topics]
    futures = admin.create_topics(requests, request_timeout=_REQUEST_SECONDS)
    return tuple(name for name, future in futures.items() if _done(future, tolerate=KafkaError.TOPIC_ALREADY_EXISTS))


def _grow(admin: AdminClient, topics: list[Topic]) -> tuple[str, ...]:
    if not topics:
        return ()
    futures = admin.create_partitions(
        [NewPartitions(topic.name, topic.partitions) for topic in topics], request_timeout=_REQUEST_SECONDS
    )
    return tuple(name for name, future in futures.items() if _done(future, tolerate=KafkaError.INVALID_PARTITIONS))


def _alter(admin: AdminClient, topics: list[Topic]) -> tuple[str, ...]:
    if not topics:
        return ()
    wanted = {topic.name: topic_settings(topic) for topic in topics}
    resources = [ConfigResource(ResourceType.TOPIC, topic.name) for topic in topics]
    current = {
        resource.name: _result(future)
        for resource, future in admin.describe_configs(resources, request_timeout=_REQUEST_SECONDS).items()
    }
    # A ConfigResource with changes only counts as empty, so its truth value says nothing.
    changes = [change for name in wanted if (change := _change(name, wanted[name], current[name])) is not None]
    if not changes:
        return ()
    futures = admin.incremental_alter_configs(changes, request_timeout=_REQUEST_SECONDS)
    return tuple(resource.name for resource, future in futures.items() if _done(future))


def _change(name: str, wanted: Mapping[str, str], current: Mapping[str, Any]) -> ConfigResource | None:
    entries = [
        ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
        for key, value in wanted.items()
        if key not in current or current[key].value != value
    ]
    return ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries) if entries else None


def _result(future: "Future[Any]") -> Any:
    try:
        return future.result(timeout=_REQUEST_SECONDS)
    except KafkaException as exc:
        raise DependencyUnavailable(f"the broker refused a topic change: {exc.args[0].str()}") from exc


def _done(future: "Future[Any]", *, tolerate: int | None = None) -> bool:
    try:
        future.result(timeout=_REQUEST_SECONDS)
    except KafkaException as exc:
        if exc.args[0].code() == tolerate:
            return False
        raise DependencyUnavailable(f"the broker refused a topic change: {exc.args[0].str()}") from exc
    return True
