"""What the broker says of the topics beside what they should be; changes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from signal_pipeline.broker.admin import HEARTBEAT_TOPIC, topic_settings
from signal_pipeline.broker.config import client_config
from signal_pipeline.errors import DependencyUnavailable
from signal_pipeline.settings import Settings
from signal_pipeline.topology import TOPICS, Topic

__all__ = ["TopicState", "topic_states"]

_SECONDS: Final = 5.0  # a broker that is up answers within milliseconds


@dataclass(frozen=True, kw_only=True, slots=True)
class TopicState:
    """A topic of the topology as the broker has it.

    Attributes:
        topic: What it should be.
        partitions: How many there are; 0 when the topic is missing.
        wanted: Settings that it should have.
        settings: Settings that it has; empty when the topic is missing.
    """

    topic: Topic
    partitions: int
    wanted: Mapping[str, str]
    settings: Mapping[str, str]


def topic_states(settings: Settings) -> list[TopicState]:
    """Return the state of each topic; `DependencyUnavailable` when no broker answers."""
    admin = AdminClient({**client_config(settings), "log_level": 0})
    wanted = (*TOPICS, HEARTBEAT_TOPIC)
    try:
        found = {name: len(each.partitions) for name, each in admin.list_topics(timeout=_SECONDS).topics.items()}
        settings_of = _settings(admin, [topic for topic in wanted if topic.name in found])
    except KafkaException as exc:
        raise DependencyUnavailable(f"Kafka at {settings.kafka_bootstrap_servers}: {exc.args[0].str()}") from exc
    return [
        TopicState(
            topic=topic,
            partitions=found.get(topic.name, 0),
            wanted=topic_settings(topic),
            settings=settings_of.get(topic.name, {}),
        )
        for topic in wanted
    ]


def _settings(admin: AdminClient, topics: list[Topic]) -> dict[str, dict[str, str]]:
    if not topics:
        return {}
    resources = [ConfigResource(ResourceType.TOPIC, topic.name) for topic in topics]
    answers = admin.describe_configs(resources, request_timeout=_SECONDS)
    return {
        resource.name: {name: str(entry.value) for name, entry in future.result(timeout=_SECONDS).items()}
        for resource, future in answers.items()
    }
