"""Commits that the broker refused."""

import pytest
from confluent_kafka import KafkaError, TopicPartition

from signal_pipeline.trigger.consumer import ConsumerThread
from tests.unit.trigger.conftest import Bench

KEY = ("signal-events", 0)
REFUSED = KafkaError(KafkaError.UNKNOWN_MEMBER_ID)


class Client:
    """A Kafka client that takes commits and answers when the test says so."""

    def __init__(self) -> None:
        self.committed: list[int] = []

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> None:
        """Take a commit."""
        assert asynchronous
        self.committed += [one.offset for one in offsets]


@pytest.fixture
def client() -> Client:
    """A client."""
    return Client()


@pytest.fixture
async def thread(bench: Bench) -> ConsumerThread:
    """A consumer that has a partition, and no thread."""
    made = ConsumerThread({}, [KEY[0]], bench.dispatcher)
    made._on_assign(None, [TopicPartition(*KEY)])  # type: ignore[arg-type]
    return made


async def test_a_refused_commit_is_repeated(thread: ConsumerThread, client: Client) -> None:
    """The newest offset, not an older one whose refusal comes late."""
    for offset in (5, 7):
        thread.commit({KEY: offset})
        thread._send_commits(client)  # type: ignore[arg-type]
    for offset in (7, 5):
        thread._on_commit(REFUSED, [TopicPartition(*KEY, offset)])
    thread._send_commits(client)  # type: ignore[arg-type]
    assert client.committed == [5, 7, 7]


async def test_a_refusal_of_an_earlier_assignment_is_not_repeated_in_a_later_one(
    thread: ConsumerThread, client: Client
) -> None:
    """Whoever had the partition meanwhile may have committed more: the old offset would move the group backwards."""
    thread.commit({KEY: 5})
    thread._send_commits(client)  # type: ignore[arg-type]
    thread._on_lost(client, [TopicPartition(*KEY)])  # type: ignore[arg-type]
    thread._on_assign(client, [TopicPartition(*KEY)])  # type: ignore[arg-type]
    thread._on_commit(REFUSED, [TopicPartition(*KEY, 5)])
    thread._send_commits(client)  # type: ignore[arg-type]
    assert client.committed == [5]
