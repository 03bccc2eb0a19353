"""Reads metrics pages, and asks Kafka itself for what they should say."""

import urllib.request

from confluent_kafka import Consumer, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from signal_pipeline.broker.config import client_config
from signal_pipeline.settings import Settings

__all__ = ["metric", "page", "real_lag", "topic_end"]

_TIMEOUT_SECONDS = 10.0


def page(port: int) -> str:
    """Return the metrics page on a port of this machine."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=_TIMEOUT_SECONDS) as answer:
        text: str = answer.read().decode()
    return text


def metric(text: str, name: str) -> float:
    """Return the sum of a metric's samples over all labels; `AssertionError` when the page does not have it."""
    found = [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    ]
    assert found, f"no metric {name} on the page"
    return sum(found)


def real_lag(settings: Settings, group: str, topic: str) -> int:
    """Return log end minus committed offset over all partitions, read from the broker."""
    consumer = Consumer({**client_config(settings), "group.id": group})
    try:
        partitions = [TopicPartition(topic, each) for each in consumer.list_topics(topic).topics[topic].partitions]
        lag = 0
        for committed in consumer.committed(partitions, timeout=_TIMEOUT_SECONDS):
            low, high = consumer.get_watermark_offsets(committed, timeout=_TIMEOUT_SECONDS)
            lag += high - (committed.offset if committed.offset >= 0 else low)
        return lag
    finally:
        consumer.close()


def topic_end(settings: Settings, topic: str) -> int:
    """Return the sum of a topic's log ends: what it grew by is the difference of two."""
    consumer = Consumer({**client_config(settings), "group.id": "topic-end"})
    try:
        partitions = consumer.list_topics(topic).topics[topic].partitions
        marks = [consumer.get_watermark_offsets(TopicPartition(topic, each)) for each in partitions]
        return sum(high for _, high in marks)
    finally:
        consumer.close()
