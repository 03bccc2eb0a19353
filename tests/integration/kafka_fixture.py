"""A private Kafka broker for the integration tests, started by the local run, and topics of each test's own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from local.layout import ROOT
from local.ports import is_free
from signal_pipeline.broker.admin import wait_for_broker
from signal_pipeline.events.kafka import KafkaRecord
from signal_pipeline.settings import Settings

# Away from the other tests' pipelines, and below the ports that the system gives to clients: one of those may be taken
# at any moment. Several test runs at once take different ones, and so do the processes of one.
_PROCESS = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_OFFSETS = range(10_000 + 4_000 * (_PROCESS % 2), 14_000 + 4_000 * (_PROCESS % 2), 100)
_REQUEST_SECONDS = 20.0
_STARTING = frozenset({KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS})


class KafkaBroker:
    """A running broker.

    Attributes:
        settings: Settings of the product with this broker's address.
        state: State folder of the local run that owns it.
    """

    def __init__(self, state: Path) -> None:
        self.state = state
        self.settings = _free_settings()
        self._numbers = count(1)

    def local(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the local run against this broker."""
        return subprocess.run(
            [sys.executable, "-m", "local", *arguments],
            cwd=ROOT,
            env={**os.environ, "PORT_OFFSET": str(self.settings.port_offset), "STATE_DIR": str(self.state)},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    @property
    def pid(self) -> int:
        """The broker's process id, as the local run recorded it."""
        return int(json.loads((self.state / "run" / "processes.json").read_text())["kafka"]["pid"])

    def admin(self) -> AdminClient:
        """Return an admin client."""
        return wait_for_broker(self.settings, timeout_seconds=_REQUEST_SECONDS)

    def topic(self, partitions: int = 1) -> str:
        """Create a topic of the test's own and return its name."""
        name = f"topic-{next(self._numbers)}"
        admin = self.admin()  # must live until the futures are done
        for future in admin.create_topics([NewTopic(name, num_partitions=partitions)]).values():
            future.result(timeout=_REQUEST_SECONDS)
        return name

    def records(self, topic: str) -> list[KafkaRecord]:
        """Return every record that a topic holds, in order within its partitions."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.settings.kafka_bootstrap_servers,
                "group.id": "reader",
                "enable.auto.commit": False,
            }
        )
        try:
            return [one for start, end in self._bounds(consumer, topic) for one in _read(consumer, start, end)]
        finally:
            consumer.close()

    def ends(self, topic: str) -> dict[int, int]:
        """Return the log end of each partition."""
        consumer = Consumer({"bootstrap.servers": self.settings.kafka_bootstrap_servers, "group.id": "reader"})
        try:
            return {start.partition: end for start, end in self._bounds(consumer, topic)}
        finally:
            consumer.close()

    def committed(self, group: str, topic: str, partitions: int) -> dict[int, int]:
        """Return the committed offset of each partition of a group; nothing while a new broker has not read them."""
        consumer = Consumer({"bootstrap.servers": self.settings.kafka_bootstrap_servers, "group.id": group})
        try:
            found = consumer.committed(
                [TopicPartition(topic, number) for number in range(partitions)], timeout=_REQUEST_SECONDS
            )
            return {one.partition: one.offset for one in found}
        except KafkaException as exc:
            if exc.args[0].code() in _STARTING:
                return {}
            raise
        finally:
            consumer.close()

    def _bounds(self, consumer: Consumer, topic: str) -> list[tuple[TopicPartition, int]]:
        """Return where the log of each partition starts, what was deleted left out, and where it ends."""
        partitions = consumer.list_topics(topic, timeout=_REQUEST_SECONDS).topics[topic].partitions
        found = []
        for number in sorted(partitions):
            place = TopicPartition(topic, number)
            start, end = consumer.get_watermark_offsets(place, timeout=_REQUEST_SECONDS)
            found.append((TopicPartition(topic, number, start), end))
        return found


def _free_settings() -> Settings:
    for offset in _OFFSETS:
        settings = Settings(_env_file=None, port_offset=offset)
        ports = [settings.kafka_port, settings.kafka_controller_port, settings.process_signal_trigger_port]
        if all(is_free(port, "127.0.0.1") for port in ports):
            return settings
    pytest.fail("no free ports for a broker")


def _read(consumer: Consumer, place: TopicPartition, end: int) -> Iterator[KafkaRecord]:
    consumer.assign([place])
    position = place.offset
    while position < end:
        message = consumer.poll(_REQUEST_SECONDS)
        assert message is not None, "the broker did not send a record in time"
        if message.error() is not None:
            raise KafkaException(message.error())
        position = message.offset() + 1
        headers: Sequence[tuple[str, bytes | None]] = message.headers() or ()
        yield KafkaRecord(
            message.topic(),
            message.partition(),
            message.offset(),
            message.timestamp()[1],
            message.key(),
            message.value(),
            tuple(headers),
        )


@contextmanager
def running_broker(state: Path) -> Iterator[KafkaBroker]:
    """Lend a broker with an empty log; it stops afterwards."""
    broker = KafkaBroker(state)
    started = broker.local("up", "--only", "kafka")
    try:
        assert started.returncode == 0, started.stdout + started.stderr
        yield broker
    finally:
        broker.local("down")


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """A broker for the session."""
    with running_broker(tmp_path_factory.mktemp("kafka") / "state") as broker:
        yield broker
