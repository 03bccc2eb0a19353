"""Functions served in every way, before a real database and before none."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.contract.client import Site
from tests.contract.conftest import NOWHERE
from tests.integration.platforms.serving import WAYS
from tests.integration.roles.conftest import broker

__all__ = ["broker"]  # takes what replay-dlq puts into quarantine

Sites = Callable[[str], dict[str, Site]]
MOST_IN_FLIGHT = 3  # one for each way of calling


@pytest.fixture(scope="module")
def sites(database_url: str, broker: str) -> Iterator[Sites]:
    """Give the sites of a role by the way in which it is served, all before one database and one broker."""
    reached = {"DATABASE_URL": database_url, "KAFKA_BOOTSTRAP_SERVERS": broker}
    yield from _served(reached | {"MAX_REQUESTS_IN_FLIGHT": str(MOST_IN_FLIGHT)})


@pytest.fixture(scope="module")
def cut_off_sites() -> Iterator[Sites]:
    """Give the same before a database that does not answer."""
    yield from _served({name.upper(): value for name, value in NOWHERE.items()})


def _served(environment: dict[str, str]) -> Iterator[Sites]:
    started: dict[str, dict[str, Site]] = {}
    with ExitStack() as running, ThreadPoolExecutor(len(WAYS)) as starters:

        def sites_of(role: str) -> dict[str, Site]:
            if role not in started:
                entered = starters.map(lambda way: running.enter_context(way.serving(role, environment)), WAYS)
                started[role] = dict(zip([way.name for way in WAYS], entered, strict=True))
            return started[role]

        yield sites_of
