"""The producer's word on each record, on a real broker."""

import asyncio
import os
import signal
import socket

from confluent_kafka.admin import NewTopic

from signal_pipeline.broker.producer import KafkaProducer
from signal_pipeline.events.kafka import OutgoingRecord
from signal_pipeline.settings import Settings
from tests.integration.kafka_fixture import KafkaBroker


def outgoing(topic: str, value: bytes | None = b"{}") -> OutgoingRecord:
    """Return a record with a repeated and a null header."""
    return OutgoingRecord(topic=topic, key=b"k", value=value, headers=(("a", b"\xff"), ("a", None)))


async def test_an_acknowledged_record_is_there_as_it_was_given(kafka: KafkaBroker) -> None:
    """Key, value and headers arrive byte for byte, a tombstone included, in order."""
    topic = kafka.topic()
    producer = KafkaProducer(kafka.settings)
    records = [outgoing(topic, b"%d" % number) for number in range(1000)] + [outgoing(topic, None)]
    assert await producer.produce(records) == [None] * 1001
    await producer.close()
    found = [(one.key, one.value, one.headers) for one in kafka.records(topic)]
    assert found == [(one.key, one.value, one.headers) for one in records]


async def test_each_record_has_its_own_outcome(kafka: KafkaBroker) -> None:
    """A record that is too large is refused for good; its neighbours are written."""
    topic = kafka.topic()
    producer = KafkaProducer(kafka.settings)
    too_large = outgoing(topic, os.urandom(3 * 1024 * 1024))
    first, middle, last = await producer.produce([outgoing(topic), too_large, outgoing(topic)])
    await producer.close()
    assert (first, last) == (None, None)
    assert middle is not None
    assert middle.code == "message_too_large"
    assert len(kafka.records(topic)) == 2


async def test_what_the_broker_refuses_is_not_acknowledged(kafka: KafkaBroker) -> None:
    """A record that passes the client and is refused by the broker has the refusal as its outcome, and is not there."""
    topic = f"{kafka.topic()}-narrow"
    narrow = NewTopic(topic, num_partitions=1, config={"max.message.bytes": "1000"})
    admin = kafka.admin()  # must live until the future is done
    await asyncio.to_thread(admin.create_topics([narrow])[topic].result, 20)
    producer = KafkaProducer(kafka.settings)
    assert await producer.produce([outgoing(topic)]) == [None]
    (outcome,) = await producer.produce([outgoing(topic, os.urandom(2000))])
    await producer.close()
    assert outcome is not None
    assert outcome.code == "message_too_large"
    assert [one.value for one in kafka.records(topic)] == [b"{}"]


async def test_many_callers_at_once_get_their_own_outcomes(kafka: KafkaBroker) -> None:
    """Twenty calls share one producer and each waits for its own records."""
    topic = kafka.topic()
    producer = KafkaProducer(kafka.settings)
    calls = [producer.produce([outgoing(topic)] * 50) for _ in range(20)]
    assert await asyncio.gather(*calls) == [[None] * 50] * 20
    await producer.close()
    assert kafka.ends(topic) == {0: 1000}


async def test_without_a_broker_nothing_is_accepted_and_nothing_is_queued() -> None:
    """Where no broker was ever reached the answer is certain and quick."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    producer = KafkaProducer(Settings(_env_file=None, kafka_bootstrap_servers=address))
    assert not await producer.ready()
    (outcome,) = await producer.produce([outgoing("t")])
    await producer.close(timeout_seconds=1)
    assert outcome is not None
    assert outcome.code == "not_accepted"


async def test_a_broker_that_falls_silent_leaves_the_outcome_unknown(kafka: KafkaBroker) -> None:
    """A record that was sent and not answered may be written: it is neither confirmed nor refused, and it is there."""
    topic = kafka.topic()
    producer = KafkaProducer(kafka.settings)
    assert await producer.produce([outgoing(topic)]) == [None]
    os.kill(kafka.pid, signal.SIGSTOP)
    try:
        (outcome,) = await producer.produce([outgoing(topic, b"late")], timeout_seconds=1)
    finally:
        os.kill(kafka.pid, signal.SIGCONT)
    assert outcome is not None
    assert outcome.code == "outcome_unknown"
    await producer.close()  # waits for the answer
    assert [one.value for one in kafka.records(topic)] == [b"{}", b"late"]
