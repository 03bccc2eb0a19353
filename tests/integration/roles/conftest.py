"""A broker of librdkafka's own, which speaks the real protocol in this process."""

from collections.abc import AsyncIterator, Iterator
from uuid import UUID, uuid4

import psycopg
import pytest
from confluent_kafka import Producer
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from signal_pipeline.broker.producer import KafkaProducer
from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.domain.replay import ReplaySchedule
from signal_pipeline.observability.metrics import ReplayMetrics
from signal_pipeline.roles.recovery import Recovery
from signal_pipeline.settings import Settings
from signal_pipeline.store.pool import Pool
from tests.integration.roles.auth_site import PASSWORD, AuthSite
from tests.integration.roles.letters import failure, letter
from tests.integration.roles.site import Site

AT_ONCE = ReplaySchedule(delays_seconds=(0, 0), topics=frozenset({"signal-events"}))


@pytest.fixture(scope="session")
def broker() -> Iterator[str]:
    """The address of a broker that creates topics when they are named, without retention and groups' offsets."""
    host = Producer({"test.mock.num.brokers": 1, "test.mock.broker.rtt": 0, "bootstrap.servers": "unused"})
    known = host.list_topics(timeout=10).brokers.values()
    yield ",".join(f"{each.host}:{each.port}" for each in known)
    host.flush()


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """A pool of an otherwise unused database; the table is empty."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("TRUNCATE dead_letters, replay_jobs, signals, superseded_signals CASCADE")
    pool = Pool(database_url, application_name="test")
    yield pool
    await pool.close()


@pytest.fixture
async def recovery(pool: Pool, broker: str) -> AsyncIterator[Recovery]:
    """The loop with a schedule that is always due."""
    producer = KafkaProducer(Settings(kafka_bootstrap_servers=broker))
    yield Recovery(pool, producer, ReplayMetrics(CollectorRegistry()), AT_ONCE)
    await producer.close()


@pytest.fixture
async def site(database_url: str, broker: str, recovery: Recovery) -> AsyncIterator[Site]:
    """The role with its own pool, and dead letters of the test alone."""
    settings = Settings(_env_file=None, database_url=SecretStr(database_url), kafka_bootstrap_servers=broker)
    opened = Site(settings, recovery)
    yield opened
    await opened.app.close()


@pytest.fixture
async def rejected(recovery: Recovery) -> list[UUID]:
    """Five events in quarantine."""
    ids = [uuid4() for _ in range(5)]
    await recovery.record([letter(each, failure(each, n, FailureClass.REJECTED)) for n, each in enumerate(ids)])
    return ids


@pytest.fixture
async def auth_site(database_url: str) -> AsyncIterator[AuthSite]:
    """The role auth with empty tables: nobody has logged in yet."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("TRUNCATE users, refresh_tokens, api_keys, access_events CASCADE")
    settings = Settings(
        _env_file=None, database_url=SecretStr(database_url), auth_admin_password=SecretStr(PASSWORD), redis_url="-"
    )
    opened = AuthSite(settings)
    yield opened
    await opened.app.close()
