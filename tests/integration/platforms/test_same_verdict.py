"""The same verdict for the same event, whoever serves the function and whoever calls it.

Ways of serving: the image by ROLE and PORT, functions-framework's command, uvicorn, Knative's func, of-watchdog.
Ways of calling: a KafkaSource, our trigger's batch, OpenFaaS' own connector.
Each case is one row of a table; each way of serving and calling is one column; all columns must say what the row says.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import product

import psycopg
import pytest

from tests.contract.client import Site
from tests.integration.platforms.cases import BUSY_CASES, CASES, DOWN_CASES, Case, Fresh
from tests.integration.platforms.conftest import MOST_IN_FLIGHT, Sites
from tests.integration.platforms.delivery import DELIVERIES, RECORD_DELIVERIES, Delivery
from tests.integration.platforms.serving import WAYS
from tests.support.waiting import wait_for

_GAUGE_SECONDS = 20
Column = tuple[str, str]


def named(case: Case) -> str:
    """Return a row's name for the report."""
    return f"{case.role}: {case.name}"


def table(case: Case, sites: dict[str, Site]) -> tuple[dict[Column, list[str]], dict[Column, Fresh]]:
    """Deliver the records of a case, new ones for each column, all columns at once; return verdicts and identities."""
    deliveries: dict[str, Delivery] = RECORD_DELIVERIES if case.role == "replay-dlq" else DELIVERIES
    fresh = {column: Fresh() for column in product(sites, deliveries)}

    def delivered(column: Column) -> list[str]:
        serving, calling = column
        return deliveries[calling](sites[serving], case.records(fresh[column]))

    with ThreadPoolExecutor(len(fresh)) as callers:
        return dict(zip(fresh, callers.map(delivered, fresh), strict=True)), fresh


@pytest.mark.parametrize("case", CASES, ids=named)
def test_every_column_agrees(case: Case, sites: Sites, database_url: str) -> None:
    """Verdict and effect of a row are the same in every column."""
    verdicts, fresh = table(case, sites(case.role))
    assert verdicts == {column: list(case.verdicts) for column in verdicts}
    assert len(verdicts) == len(WAYS) * len(DELIVERIES)
    with psycopg.connect(database_url) as connection:
        for column, identities in fresh.items():
            stored = connection.execute("SELECT count(*) FROM signals WHERE source = %s", [identities.source])
            assert stored.fetchone() == (case.rows,), column
            recorded = connection.execute(
                "SELECT count(*) FROM dead_letters WHERE event_source = %s", [identities.source]
            )
            assert recorded.fetchone() == (case.dead_letters,), column


@pytest.mark.parametrize("case", DOWN_CASES, ids=named)
def test_every_column_agrees_while_the_database_is_away(case: Case, cut_off_sites: Sites) -> None:
    """What can be decided without the database is; everything else is "not now", never the event's fault."""
    verdicts, _ = table(case, cut_off_sites(case.role))
    assert verdicts == {column: list(case.verdicts) for column in verdicts}


@pytest.mark.parametrize("case", BUSY_CASES, ids=named)
def test_every_column_agrees_under_overload(case: Case, sites: Sites, database_url: str) -> None:
    """Beyond the bound of requests in flight an event is put off; what was in flight is stored when it can be."""
    served = sites(case.role)
    before = Fresh()
    with ThreadPoolExecutor(len(served) * MOST_IN_FLIGHT) as waiting:
        with locked_signals(database_url):
            held = [
                waiting.submit(DELIVERIES["KafkaSource"], site, [before.event()])
                for site in served.values()
                for _ in range(MOST_IN_FLIGHT)
            ]
            for site in served.values():
                wait_until_busy(site)
            verdicts, _ = table(case, served)
        assert [one.result() for one in held] == [["durable"]] * len(held)
    assert verdicts == {column: list(case.verdicts) for column in verdicts}


@contextmanager
def locked_signals(database_url: str) -> Iterator[None]:
    """Keep every write to the table waiting."""
    with psycopg.connect(database_url) as connection:
        connection.execute("LOCK TABLE signals IN EXCLUSIVE MODE")
        yield


def wait_until_busy(site: Site) -> None:
    """Wait until as many requests are in flight as there may be."""
    full = f"http_requests_in_flight {float(MOST_IN_FLIGHT)}"
    wait_for(lambda: full in page(site), seconds=_GAUGE_SECONDS, what=f"{site.role} with as many requests as it takes")


def page(site: Site) -> str:
    """Return the metrics page of a site."""
    return site.call("GET", "/metrics", port=site.metrics_port).body.decode()
