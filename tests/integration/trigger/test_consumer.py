"""The consumer thread against a real broker, by either protocol of consumer groups."""

from collections.abc import Iterable

from signal_pipeline.broker.config import consumer_config
from signal_pipeline.events.kafka import KafkaRecord
from signal_pipeline.trigger.consumer import ConsumerThread
from signal_pipeline.trigger.partition import TopicPartitionKey
from tests.integration.kafka_fixture import KafkaBroker
from tests.integration.trigger.conftest import PROTOCOLS, Protocol, outgoing, produce, until

_STOP_SECONDS = 20.0


class Handler:
    """Notes what the thread hands over, and has nothing to commit."""

    def __init__(self) -> None:
        self.mine: set[TopicPartitionKey] = set()
        self.taken_away: set[TopicPartitionKey] = set()
        self.records: list[KafkaRecord] = []

    def assigned(self, keys: Iterable[TopicPartitionKey]) -> None:
        """Note partitions."""
        self.mine.update(keys)

    def received(self, records: Iterable[KafkaRecord], ends: Iterable[tuple[TopicPartitionKey, int]]) -> None:
        """Note records."""
        del ends
        self.records.extend(records)

    async def revoked(self, keys: Iterable[TopicPartitionKey], *, wait_seconds: float) -> dict[TopicPartitionKey, int]:
        """Give partitions up."""
        del wait_seconds
        self.lost(keys)
        return {}

    def lost(self, keys: Iterable[TopicPartitionKey]) -> None:
        """Forget partitions."""
        self.mine.difference_update(keys)
        self.taken_away.update(keys)


@PROTOCOLS
async def test_a_partition_that_was_held_when_it_was_taken_away_flows_when_it_is_given_back(
    kafka: KafkaBroker, protocol: Protocol
) -> None:
    """A pause belongs to one assignment: after another member had the partition, it is read like any other."""
    topic = kafka.topic(2)
    config = consumer_config(kafka.settings, group=f"group-{topic}", offset_reset="earliest", protocol=protocol)
    both = frozenset({(topic, 0), (topic, 1)})
    first, second = Handler(), Handler()
    thread, rival = (ConsumerThread(config, [topic], handler) for handler in (first, second))
    thread.start()
    await until(lambda: first.mine == both)
    thread.allow(room=True, held=both)
    rival.start()
    await until(lambda: bool(second.mine))
    await rival.stop(wait_seconds=_STOP_SECONDS)
    await until(lambda: first.mine == both)
    assert first.taken_away
    thread.allow(room=True, held=frozenset())
    await produce(kafka, [outgoing(topic, number) for number in range(100)])
    await until(lambda: len(first.records) == 100)
    assert {record.partition for record in first.records} == {0, 1}
    await thread.stop(wait_seconds=_STOP_SECONDS)
