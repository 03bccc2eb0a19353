"""Functions served in every way, before a real database and before none."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import pytest

from tests.contract.client import Site
from tests.contract.conftest import NOWHERE
from tests.integration.conftest import PostgresServer
from tests.integration.platforms.serving import WAYS, Way
from tests.integration.roles.conftest import broker

__all__ = ["broker"]  # takes what replay-dlq puts into quarantine

Sites = Callable[[str], dict[str, Site]]
Running = list[AbstractContextManager[Site]]
MOST_IN_FLIGHT = 3  # one for each way of calling


@pytest.fixture(scope="package")
def database_url(postgres_server: PostgresServer, migrated_template: str) -> Iterator[str]:
    """A database with the schema, for all tests of this folder: their functions are started once."""
    with postgres_server.database(migrated_template) as url:
        yield url


@pytest.fixture(scope="package")
def sites(database_url: str, broker: str) -> Iterator[Sites]:
    """Give the sites of a role by the way in which it is served, all before one database and one broker."""
    reached = {"DATABASE_URL": database_url, "KAFKA_BOOTSTRAP_SERVERS": broker}
    yield from _served(reached | {"MAX_REQUESTS_IN_FLIGHT": str(MOST_IN_FLIGHT)})


@pytest.fixture(scope="package")
def cut_off_sites() -> Iterator[Sites]:
    """Give the same before a database that does not answer."""
    yield from _served({name.upper(): value for name, value in NOWHERE.items()})


def _served(environment: dict[str, str]) -> Iterator[Sites]:
    started: dict[str, dict[str, Site]] = {}
    with ThreadPoolExecutor(len(WAYS)) as hands:  # starting and stopping is mostly waiting
        running: Running = []

        def entered(way: Way, role: str) -> Site:
            serving = way.serving(role, environment)
            site = serving.__enter__()
            running.append(serving)
            return site

        def sites_of(role: str) -> dict[str, Site]:
            if role not in started:
                found = hands.map(entered, WAYS, [role] * len(WAYS))
                started[role] = dict(zip([way.name for way in WAYS], found, strict=True))
            return started[role]

        yield sites_of
        for _ in hands.map(lambda serving: serving.__exit__(None, None, None), running):
            pass  # a failure is raised here
