"""Kafka and PostgreSQL of the cells that stop single processes at exact moments; no other test writes to them."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.chaos.stage import Stage
from tests.integration.commands.conftest import World
from tests.integration.conftest import make_template, running_server
from tests.integration.kafka_fixture import KafkaBroker, running_broker


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """A broker of these cells alone: they kill members of its groups, and count what is on its topics."""
    with running_broker(tmp_path_factory.mktemp("kafka") / "state") as broker:
        yield broker


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    """A database with the schema, on a server of these cells alone."""
    with running_server() as server, server.database(make_template(server)) as url:
        yield url


@pytest.fixture
async def stage(kafka: KafkaBroker, database_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    """Empty topics and tables, and no process yet."""
    world = World(kafka, database_url)
    try:
        world.forget()
        world.run("TRUNCATE replay_jobs")
        async with Stage(world, database_url, tmp_path) as opened:
            yield opened
    finally:
        await world.close()
