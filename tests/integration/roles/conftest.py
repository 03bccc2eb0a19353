"""A broker of librdkafka's own, which speaks the real protocol in this process."""

from collections.abc import Iterator

import pytest
from confluent_kafka import Producer


@pytest.fixture(scope="session")
def broker() -> Iterator[str]:
    """The address of a broker that creates topics when they are named, without retention and groups' offsets."""
    host = Producer({"test.mock.num.brokers": 1, "test.mock.broker.rtt": 0, "bootstrap.servers": "unused"})
    known = host.list_topics(timeout=10).brokers.values()
    yield ",".join(f"{each.host}:{each.port}" for each in known)
    host.flush()
