"""Offsets read without joining a group, from a real broker, with its end and its loss."""

import asyncio
import os
import signal

import pytest
from confluent_kafka import Consumer, TopicPartition

from signal_pipeline.broker.lag import GroupLag
from signal_pipeline.broker.offsets import OffsetReader
from signal_pipeline.broker.producer import KafkaProducer
from signal_pipeline.errors import DependencyUnavailable
from signal_pipeline.events.kafka import OutgoingRecord
from signal_pipeline.settings import Settings
from tests.integration.kafka_fixture import KafkaBroker
from tests.support.waiting import wait_for

RECORDS = 5
COMMITTED = 3
_KILL_SECONDS = 10.0
_RESTART_SECONDS = 90.0  # the local run starts it again, on a machine that may be busy


async def filled(kafka: KafkaBroker, group: str) -> str:
    """Return a topic of two partitions: some records in one of them, of which a group has committed a part."""
    topic = kafka.topic(partitions=2)
    producer = KafkaProducer(kafka.settings)
    await producer.produce([OutgoingRecord(topic=topic, key=b"user", value=b"{}")] * RECORDS)
    await producer.close()
    place = await asyncio.to_thread(_with_records, kafka, topic)
    consumer = Consumer({"bootstrap.servers": kafka.settings.kafka_bootstrap_servers, "group.id": group})
    consumer.commit(offsets=[TopicPartition(topic, place, COMMITTED)], asynchronous=False)
    consumer.close()
    return topic


async def test_offsets_are_those_of_the_broker(kafka: KafkaBroker) -> None:
    """What a topic holds and what a group has committed is told; a partition without a commit has none."""
    topic = await filled(kafka, "offsets-reader")
    reader = OffsetReader(kafka.settings, group="offsets-reader")
    place = _with_records(kafka, topic)
    assert reader.topics()[topic] == 2
    assert reader.held(topic, place) == (0, RECORDS)
    assert reader.committed([(topic, 0), (topic, 1)]) == {(topic, place): COMMITTED, (topic, 1 - place): None}
    reader.close()


async def test_lag_counts_what_is_not_committed(kafka: KafkaBroker) -> None:
    """Lag is log end minus commit; a group without a commit has all before it, or nothing when it starts at the end."""
    topic = await filled(kafka, "lag-reader")
    keys = [(topic, 0), (topic, 1)]
    expected = {"lag-reader": (RECORDS - COMMITTED, RECORDS - COMMITTED), "newcomer": (RECORDS, 0)}
    for group, (from_begin, from_end) in expected.items():
        for starts_at_end, lag in ((False, from_begin), (True, from_end)):
            measured = GroupLag(kafka.settings, group=group, starts_at_end=starts_at_end)
            assert sum(measured.read(keys).values()) == lag
            measured.close()


def test_no_broker_is_no_answer() -> None:
    """Nothing listens: each question ends with an error that names the address, not with an aborted process."""
    reader = OffsetReader(Settings(_env_file=None, kafka_bootstrap_servers="127.0.0.1:9"), group="group")
    with pytest.raises(DependencyUnavailable, match=r"127\.0\.0\.1:9"):
        reader.topics()
    with pytest.raises(DependencyUnavailable, match=r"127\.0\.0\.1:9"):
        reader.held("topic", 0)
    with pytest.raises(DependencyUnavailable, match=r"127\.0\.0\.1:9"):
        reader.committed([("topic", 0)])
    reader.close()


async def test_a_killed_broker_is_an_error_until_it_is_back(kafka: KafkaBroker) -> None:
    """Offsets are asked for while the broker dies and returns: no answer for a while, then the same one as before."""
    topic = await filled(kafka, "killed-reader")
    reader = OffsetReader(kafka.settings, group="killed-reader")
    place = _with_records(kafka, topic)
    os.kill(kafka.pid, signal.SIGKILL)
    wait_for(lambda: _committed(reader, topic, place) is None, seconds=_KILL_SECONDS, what="the loss of the broker")
    back = wait_for(lambda: _committed(reader, topic, place), seconds=_RESTART_SECONDS, what="the broker's return")
    assert back == COMMITTED
    reader.close()


def _committed(reader: OffsetReader, topic: str, partition: int) -> int | None:
    """Return the committed offset; None while the broker does not answer."""
    try:
        return reader.committed([(topic, partition)])[topic, partition]
    except DependencyUnavailable:
        return None


def _with_records(kafka: KafkaBroker, topic: str) -> int:
    """Return the partition of a topic that holds the records: all of one key lie in one."""
    (place,) = [number for number, end in kafka.ends(topic).items() if end == RECORDS]
    return place
