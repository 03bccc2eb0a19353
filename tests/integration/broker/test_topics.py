"""Topics are created, corrected and never reduced."""

import time
from collections.abc import Callable

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from signal_pipeline.broker.admin import HEARTBEAT_TOPIC, apply_topics, topic_settings
from signal_pipeline.topology import TOPICS
from tests.integration.kafka_fixture import KafkaBroker


def test_topics_are_as_the_topology_says_and_a_second_run_changes_nothing(kafka: KafkaBroker) -> None:
    """Names, partitions and limits come from one table; a setting that somebody changed is put back."""
    apply_topics(kafka.settings)
    admin = kafka.admin()
    found = admin.list_topics(timeout=20).topics
    for topic in (*TOPICS, HEARTBEAT_TOPIC):
        assert len(found[topic.name].partitions) == topic.partitions
    again = apply_topics(kafka.settings)
    assert (again.created, again.altered, again.grown) == ((), (), ())

    entry = ConfigEntry("retention.ms", "1000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, "signal-events", incremental_configs=[entry])
    admin.incremental_alter_configs([resource])[resource].result(timeout=20)
    wait_for(lambda: settings_of(admin, "signal-events")["retention.ms"] == "1000")
    assert apply_topics(kafka.settings).altered == ("signal-events",)
    wait_for(lambda: topic_settings(TOPICS[0]).items() <= settings_of(admin, "signal-events").items())


def settings_of(admin: AdminClient, topic: str) -> dict[str, str]:
    """Return the settings of a topic as the broker has them."""
    described = admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)])
    return {name: one.value for future in described.values() for name, one in future.result(timeout=20).items()}


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait, with a deadline, for a change that the broker applies a moment after it acknowledged it."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "the broker did not apply a change in time"
        time.sleep(0.05)


def test_the_timestamp_of_a_record_is_the_brokers(kafka: KafkaBroker) -> None:
    """Whatever time a producer gives, an event's age counts from its arrival."""
    apply_topics(kafka.settings)
    producer = Producer({"bootstrap.servers": kafka.settings.kafka_bootstrap_servers})
    before = time.time()
    for stated in (1, 2**42):
        producer.produce("signal-events", b"{}", partition=5, timestamp=stated)  # the last one
    assert producer.flush(20) == 0
    times = [record.timestamp_ms / 1000 for record in kafka.records("signal-events")[-2:]]
    assert all(before - 1 <= each <= time.time() + 1 for each in times)


def test_what_waits_for_a_person_or_a_repair_waits_a_week() -> None:
    """No topic forgets by time what an outage kept unread, nor what only quarantine holds; its bytes are bounded."""
    for topic in TOPICS:
        settings = topic_settings(topic)
        assert int(settings["retention.ms"]) >= 7 * 24 * 60 * 60 * 1000
        assert int(settings["retention.bytes"]) * topic.partitions <= 1024**3


def test_a_dead_letter_always_fits() -> None:
    """The dead-letter topics take the largest signal and 512 KiB of metadata beside."""
    limits = {topic.name: topic.max_message_bytes for topic in TOPICS}
    for name in ("signal-events-dlq", "signal-events-quarantine"):
        assert limits[name] >= limits["signal-events"] + 512 * 1024
