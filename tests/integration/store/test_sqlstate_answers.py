"""What process-signal answers over HTTP when a real PostgreSQL refuses a row, or the whole batch."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from uuid import UUID, uuid4

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from signal_pipeline.domain.failures import POLICIES, FailureClass
from signal_pipeline.roles.process_signal import ProcessSignal
from signal_pipeline.serving.app import FunctionApp
from signal_pipeline.serving.metrics_page import MetricsPage
from signal_pipeline.settings import Settings
from signal_pipeline.store.pool import Pool
from tests.integration.store.conftest import Fetch
from tests.support.asgi import call
from tests.support.http import Answer

COUNT = 20
_BATCH = [("content-type", "application/cloudevents-batch+json")]


@pytest.fixture
async def app(pool: Pool, database_url: str) -> AsyncIterator[FunctionApp]:
    """process-signal on a database whose tables are empty; the pool fixture emptied them."""
    await pool.close()
    registry = CollectorRegistry()
    function = ProcessSignal(Settings(_env_file=None, database_url=SecretStr(database_url)), registry)
    await function.open()
    yield FunctionApp(function, MetricsPage(registry, address="127.0.0.1", port=0))
    await function.close()


@pytest.fixture(autouse=True)
def unchanged_schema(fetch: Fetch) -> Iterator[None]:
    """Take away what a test put on the table."""
    yield
    fetch("DROP TRIGGER IF EXISTS refusing ON signals")
    fetch("ALTER TABLE signals DROP CONSTRAINT IF EXISTS no_culprit")


def refuse(fetch: Fetch, sqlstate: str) -> None:
    """Let the database answer every write of the culprit's row with a SQLSTATE."""
    fetch(
        "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'refused' USING ERRCODE = TG_ARGV[0]; END $$"
    )
    fetch(
        "CREATE TRIGGER refusing BEFORE INSERT ON signals FOR EACH ROW WHEN (new.user_id = 'culprit') "
        f"EXECUTE FUNCTION refuse('{sqlstate}')"
    )


async def post(app: FunctionApp, ids: Sequence[UUID], *, culprits: Sequence[int]) -> Answer:
    """Send a batch in which the events at some places are the culprit's."""
    events = [
        {
            "specversion": "1.0",
            "id": str(each),
            "source": "web",
            "type": "click",
            "subject": "culprit" if index in culprits else "user_1",
            "data": {"data": "sample_data_42"},
        }
        for index, each in enumerate(ids)
    ]
    return await call(app, "POST", "/", _BATCH, json.dumps(events).encode())


@pytest.mark.parametrize("culprits", [[7], [0, COUNT - 1]], ids=["one", "first-and-last"])
async def test_a_row_that_sql_refuses_costs_its_neighbours_nothing(
    app: FunctionApp, fetch: Fetch, culprits: list[int]
) -> None:
    """A check constraint refuses some rows of a batch: 207 names exactly these as rejected, all others are stored."""
    fetch("ALTER TABLE signals ADD CONSTRAINT no_culprit CHECK (user_id <> 'culprit')")
    ids = [uuid4() for _ in range(COUNT)]
    answer = await post(app, ids, culprits=culprits)
    assert answer.status == 207
    assert [
        (each["index"], each["id"], each["status"], each["class"], each["code"]) for each in answer.json["results"]
    ] == [(index, str(ids[index]), 422, "rejected", "23514") for index in culprits]
    healthy = {each for index, each in enumerate(ids) if index not in culprits}
    assert {row[0] for row in fetch("SELECT id FROM signals")} == healthy


@pytest.mark.parametrize(
    ("sqlstate", "failure_class"),
    [
        *((code, "contention") for code in ("40001", "40P01", "55P03")),
        *((code, "dependency") for code in ("08006", "25006", "25P03", "26000", "53100", "53200", "53300", "53400")),
        *((code, "dependency") for code in ("57014", "57P01", "57P02", "57P03", "58030")),
    ],
)
async def test_a_transient_failure_answers_for_the_whole_batch(
    app: FunctionApp, fetch: Fetch, sqlstate: str, failure_class: str
) -> None:
    """503 with class, SQLSTATE and Retry-After; nothing is stored, and everything once the cause is gone."""
    ids = [uuid4() for _ in range(COUNT)]
    refuse(fetch, sqlstate)
    answer = await post(app, ids, culprits=[7])
    assert (answer.status, answer.json["class"], answer.json["code"]) == (503, failure_class, sqlstate)
    assert answer.headers["kne-failureclass"] == failure_class
    assert int(answer.headers["retry-after"]) == POLICIES[FailureClass(failure_class)].retry_after_seconds
    assert fetch("SELECT count(*) FROM signals") == [(0,)]
    fetch("DROP TRIGGER refusing ON signals")
    assert (await post(app, ids, culprits=[7])).status == 204
    assert fetch("SELECT count(*) FROM signals") == [(COUNT,)]


@pytest.mark.parametrize("sqlstate", ["42P01", "42703", "42501", "25P02", "54001", "XX000"])
async def test_an_unexpected_failure_answers_500_and_stores_nothing(
    app: FunctionApp, fetch: Fetch, sqlstate: str
) -> None:
    """What may be a fault of the installation is neither the event's fault nor said to pass by itself."""
    refuse(fetch, sqlstate)
    answer = await post(app, [uuid4() for _ in range(COUNT)], culprits=[7])
    assert (answer.status, answer.json["class"], answer.json["code"]) == (500, "unexpected", sqlstate)
    assert "retry-after" not in answer.headers
    assert fetch("SELECT count(*) FROM signals") == [(0,)]
