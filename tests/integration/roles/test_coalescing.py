"""The functions with many requests of one event each at once, on a real PostgreSQL."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from prometheus_client import CollectorRegistry
from psycopg import AsyncConnection
from pydantic import SecretStr

from signal_pipeline.roles.confirm_outbox import ConfirmOutbox
from signal_pipeline.roles.detect_anomaly import DetectAnomaly
from signal_pipeline.roles.process_signal import ProcessSignal
from signal_pipeline.roles.replay_dlq import ReplayDlq
from signal_pipeline.serving.app import FunctionApp
from signal_pipeline.serving.function import Function
from signal_pipeline.serving.metrics_page import MetricsPage
from signal_pipeline.settings import Settings
from tests.support.asgi import call

REQUESTS = 500
KINDS = ("stored", "stored", "stored", "refused", "taken", "invalid")
STATUS = {"stored": 204, "refused": 422, "taken": 422, "invalid": 400}
CODE = {"refused": "23514", "taken": "identity_conflict", "invalid": "invalid_attribute"}


@pytest.fixture(autouse=True)
def table(database_url: str) -> Any:
    """Empty tables, and one that refuses every row of the user `culprit`."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("TRUNCATE signals, superseded_signals, anomalies, outbox_events")
        connection.execute("ALTER TABLE signals ADD CONSTRAINT no_culprit CHECK (user_id <> 'culprit')")
        yield connection
        connection.execute("ALTER TABLE signals DROP CONSTRAINT no_culprit")


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements of this process, but those by which the pool checks a connection."""
    seen: list[str] = []
    execute = AsyncConnection.execute

    async def counted(connection: Any, statement: Any, *arguments: Any, **options: Any) -> Any:
        if statement:
            seen.append(str(statement))
        return await execute(connection, statement, *arguments, **options)

    monkeypatch.setattr(AsyncConnection, "execute", counted)
    return seen


class Site:
    """A function with its page, as requests reach it."""

    def __init__(self, function: Function) -> None:
        self.app = FunctionApp(function, MetricsPage(function.registry, address="127.0.0.1", port=0))
        self._registry = function.registry

    async def send(
        self,
        *,
        event_id: str,
        source: str = "web",
        user: str = "user_1",
        data: str = "x",
        extensions: Sequence[tuple[str, str]] = (),
    ) -> Any:
        """Send one event in binary mode; return the answer."""
        headers = [("ce-specversion", "1.0"), ("ce-id", event_id), ("ce-source", source), ("ce-type", "click")]
        headers += [("ce-subject", user), ("content-type", "application/json"), *extensions]
        return await call(self.app, "POST", "/", headers, json.dumps({"session_id": "s", "data": data}).encode())

    def metric(self, name: str) -> float:
        """Return the value of a metric."""
        return self._registry.get_sample_value(name) or 0.0


@pytest.fixture(params=[True, False], ids=["coalesced", "each by itself"])
async def process_signal(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[Site]:
    """The function process-signal, with coalescing and without."""
    site = Site(ProcessSignal(settings(database_url, coalesce=request.param), CollectorRegistry()))
    yield site
    await site.app.close()


def settings(database_url: str, *, coalesce: bool) -> Settings:
    """Return settings that let all requests of a test be in flight at once."""
    url = SecretStr(database_url)
    return Settings(_env_file=None, database_url=url, coalesce_requests=coalesce, max_requests_in_flight=REQUESTS)


async def test_each_of_many_requests_has_its_own_status(
    process_signal: Site, statements: list[str], table: Any, request: pytest.FixtureRequest
) -> None:
    """500 at once, poison and conflicts among them: each is answered for itself, with far fewer statements than 500."""
    taken = str(uuid4())
    assert (await process_signal.send(event_id=taken)).status == 204
    statements.clear()
    kinds = [KINDS[number % len(KINDS)] for number in range(REQUESTS)]
    answers = await asyncio.gather(*(_send(process_signal, kind, taken) for kind in kinds))
    assert [answer.status for answer in answers] == [STATUS[kind] for kind in kinds]
    failed = {(kind, answer.json["code"]) for kind, answer in zip(kinds, answers, strict=True) if answer.status > 204}
    assert failed == set(CODE.items())
    stored = 1 + Counter(kinds)["stored"]
    assert table.execute("SELECT count(*) FROM signals").fetchone() == (stored,)
    # Counted once each, although refused rows make a write begin anew.
    assert process_signal.metric("signals_consumed_total") == stored
    coalesced = "each by itself" not in request.node.name
    valid = REQUESTS - Counter(kinds)["invalid"]
    assert process_signal.metric("coalesced_events_sum") == ((1 + valid) if coalesced else 0)
    if coalesced:  # 83 culprits in one write cost some statements each; a write without any costs one
        upserts = [one for one in statements if "INSERT INTO signals" in one]
        assert process_signal.metric("coalesced_events_count") < 20
        assert len(upserts) < 83 * 8
    else:
        assert len(statements) >= valid


async def _send(site: Site, kind: str, taken: str) -> Any:
    if kind == "taken":
        return await site.send(event_id=taken, source="mobile")
    if kind == "invalid":
        return await site.send(event_id=str(uuid4()), user="u" * 300)
    return await site.send(event_id=str(uuid4()), user="culprit" if kind == "refused" else "user_1")


async def test_healthy_requests_share_statements(database_url: str, statements: list[str], table: Any) -> None:
    """500 requests without poison, all at once, are stored by at most 20 statements, and by 500 without coalescing."""
    counts = {}
    for coalesce in (True, False):
        site = Site(ProcessSignal(settings(database_url, coalesce=coalesce), CollectorRegistry()))
        await site.send(event_id=str(uuid4()))
        statements.clear()
        answers = await asyncio.gather(*(site.send(event_id=str(uuid4())) for _ in range(REQUESTS)))
        assert {answer.status for answer in answers} == {204}
        counts[coalesce] = len(statements)
        await site.app.close()
    assert table.execute("SELECT count(*) FROM signals").fetchone() == (2 * (REQUESTS + 1),)
    assert counts[False] == REQUESTS
    assert counts[True] <= 20


async def test_versions_of_one_event_at_once_leave_one_row(process_signal: Site, table: Any) -> None:
    """The same event in 50 requests at once is one row, and a success for each of them."""
    event_id = str(uuid4())
    answers = await asyncio.gather(*(process_signal.send(event_id=event_id) for _ in range(50)))
    assert {answer.status for answer in answers} == {204}
    assert table.execute("SELECT count(*) FROM signals").fetchone() == (1,)


async def test_anomalies_of_shared_writes_are_complete(database_url: str, table: Any) -> None:
    """200 anomalous signals in as many requests give each its anomaly, with one outbox row."""
    site = Site(DetectAnomaly(settings(database_url, coalesce=True), CollectorRegistry()))
    send = (site.send(event_id=str(uuid4()), data="sample_data_99") for _ in range(200))
    assert {answer.status for answer in await asyncio.gather(*send)} == {204}
    await site.app.close()
    signals = table.execute("SELECT count(DISTINCT signal_event_id), count(*) FROM anomalies").fetchone()
    outbox = table.execute("SELECT count(*) FROM outbox_events").fetchone()
    assert signals[0] == 200
    assert outbox == (signals[1],)
    assert site.metric("coalesced_events_sum") == 200
    assert site.metric("coalesced_events_count") < 20


async def test_an_outage_answers_every_request() -> None:
    """While PostgreSQL cannot be reached each of the requests that shared a write gets its own 503 with Retry-After."""
    nowhere = "postgresql://postgres:postgres@127.0.0.1:1/nothing"
    site = Site(ProcessSignal(settings(nowhere, coalesce=True), CollectorRegistry()))
    answers = await asyncio.gather(*(site.send(event_id=str(uuid4())) for _ in range(20)))
    assert {(answer.status, answer.json["class"], answer.headers["retry-after"]) for answer in answers} == {
        (503, "dependency", "2")
    }
    assert len({answer.json["error_id"] for answer in answers}) == 20
    assert site.metric("db_write_failures_total") <= 2
    await site.app.close()


async def test_confirmations_share_their_stamps(database_url: str, statements: list[str], table: Any) -> None:
    """50 outbox events in as many requests, 10 that are none beside them: all rows are stamped, each has its answer."""
    rows = [uuid4() for _ in range(50)]
    for row in rows:
        table.execute(
            "INSERT INTO outbox_events (id, aggregateid, payload, subject) VALUES (%s, 'a', '{}', 's')", [row]
        )
    site = Site(ConfirmOutbox(settings(database_url, coalesce=True), CollectorRegistry()))
    await site.send(event_id=str(rows[0]))
    statements.clear()
    names = [*map(str, rows), *(f"none-{number}" for number in range(10))]
    answers = await asyncio.gather(*(site.send(event_id=name) for name in names))
    await site.app.close()
    assert [answer.status for answer in answers] == [204] * 50 + [422] * 10
    assert {answer.json["code"] for answer in answers[50:]} == {"not_an_outbox_event"}
    left = table.execute("SELECT count(*) FROM outbox_events WHERE processed_at IS NULL").fetchone()
    assert left == (0,)
    assert len([one for one in statements if "UPDATE outbox_events" in one]) < 10


async def test_dead_letters_share_their_record(database_url: str, table: Any, broker: str) -> None:
    """30 dead letters in as many requests are 30 rows, with what each says of itself."""
    table.execute("TRUNCATE dead_letters")
    wanted = settings(database_url, coalesce=True).model_copy(update={"kafka_bootstrap_servers": broker})
    site = Site(ReplayDlq(wanted, CollectorRegistry()))
    given_up = [("ce-knativeerrordest", "http://process-signal.default"), ("ce-knativeerrorcode", "503")]
    places = [("ce-knativekafkapartition", "0")]
    send = (
        site.send(event_id=str(uuid4()), extensions=[*given_up, *places, ("ce-knativekafkaoffset", str(number))])
        for number in range(30)
    )
    answers = await asyncio.gather(*send)
    await site.app.close()
    assert {answer.status for answer in answers} == {204}
    found = table.execute("SELECT failure_class, status, count(*) FROM dead_letters GROUP BY 1, 2").fetchall()
    assert found == [("dependency", "scheduled", 30)]
    assert site.metric("coalesced_events_sum") == 30
    assert site.metric("coalesced_events_count") < 10
