"""Kafka in a cluster: what Strimzi must be told, made from the same table and template as the local run.

KafkaTopic ──▶ a topic of the topology, with the settings that `signal-pipeline topics` gives it
KafkaConnector ──▶ sql/debezium/outbox-connector.json, its credentials read by Connect from a mounted Secret
"""

import json
from string import Template
from typing import Any, Final

import yaml

from local.layout import ROOT
from signal_pipeline.broker.admin import HEARTBEAT_TOPIC, topic_settings
from signal_pipeline.broker.connector import CONNECTOR_NAME
from signal_pipeline.settings import Settings
from signal_pipeline.topology import TOPICS, Topic

__all__ = ["CONNECTOR_VALUES", "kafka_files"]

_HEADER: Final = "# Made by `python -m local generate`; change {sources} instead.\n"
_API: Final = "kafka.strimzi.io/v1beta2"
_CLUSTER: Final = "signal-pipeline"
_WIDTH: Final = 120
# Where deploy/knative/kafka/connect.yaml mounts the Secret; Connect resolves ${directory:…} where it runs.
_CREDENTIALS: Final = "${{directory:/mnt/database:{key}}}"
CONNECTOR_VALUES: Final = {
    "host": "postgres.signal-pipeline.svc",
    "port": "5432",
    "database": "eventpipeline",
    "user": _CREDENTIALS.format(key="username"),
    "password": _CREDENTIALS.format(key="password"),
    "poll_interval_ms": str(Settings.model_fields["outbox_poll_interval_ms"].default),
}


def kafka_files() -> dict[str, str]:
    """Return name and text of each generated file of deploy/knative/kafka."""
    return {
        "topics.yaml": _text([_topic(one) for one in (*TOPICS, HEARTBEAT_TOPIC)], "signal_pipeline/topology.py"),
        "connector.yaml": _text([_connector()], "sql/debezium/outbox-connector.json"),
    }


def _topic(topic: Topic) -> dict[str, Any]:
    return {
        "apiVersion": _API,
        "kind": "KafkaTopic",
        "metadata": {"name": topic.name.strip("_"), "labels": {"strimzi.io/cluster": _CLUSTER}},
        "spec": {
            "topicName": topic.name,
            "partitions": topic.partitions,
            "replicas": 3,
            "config": {**topic_settings(topic), "min.insync.replicas": "2"},
        },
    }


def _connector() -> dict[str, Any]:
    template = json.loads((ROOT / "sql" / "debezium" / "outbox-connector.json").read_text())
    config = {name: Template(text).substitute(CONNECTOR_VALUES) for name, text in template.items()}
    return {
        "apiVersion": _API,
        "kind": "KafkaConnector",
        "metadata": {"name": CONNECTOR_NAME, "labels": {"strimzi.io/cluster": _CLUSTER}},
        "spec": {
            "class": config.pop("connector.class"),
            "tasksMax": int(config.pop("tasks.max")),
            "autoRestart": {"enabled": True},
            "config": config,
        },
    }


def _text(documents: list[dict[str, Any]], sources: str) -> str:
    return _HEADER.format(sources=sources) + yaml.safe_dump_all(
        documents, sort_keys=False, width=_WIDTH, allow_unicode=True
    )
