"""The serving layer around a role, without a server and without dependencies."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import pytest
from prometheus_client import CollectorRegistry
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from signal_pipeline.domain.failures import Failure, FailureClass
from signal_pipeline.errors import ConfigurationError, DependencyUnavailable, Forbidden, Overloaded
from signal_pipeline.events.envelope import CloudEvent
from signal_pipeline.serving.answers import problem_response
from signal_pipeline.serving.app import FunctionApp
from signal_pipeline.serving.function import Function
from signal_pipeline.serving.metrics_page import MetricsPage
from signal_pipeline.settings import Settings
from tests.support.asgi import call
from tests.support.http import Answer

STRUCTURED = [("content-type", "application/cloudevents+json")]
BATCH = [("content-type", "application/cloudevents-batch+json")]
EVENT = '{"specversion":"1.0","id":"%s","source":"web","type":"login"}'
REJECTED = Failure(failure_class=FailureClass.REJECTED, code="23514", detail="no")


class Recorder(Function):
    """A role that keeps events in a list and fails on demand, by the id of an event."""

    name: ClassVar[str] = "process-signal"

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, CollectorRegistry())
        self.handled: list[str] = []
        self.faults: Mapping[str, str | None] = {"store": None}
        self.checks = 0
        self.slow = False
        self.opened = 0
        self.closed = 0
        self.gate = asyncio.Event()
        self.waiting = asyncio.Semaphore(0)

    async def open(self) -> None:
        """Count the openings."""
        self.opened += 1

    async def close(self) -> None:
        """Count the closings."""
        self.closed += 1

    async def check(self) -> Mapping[str, str | None]:
        """Count the looks; one that is slow waits at the gate."""
        self.checks += 1
        if self.slow:
            self.waiting.release()
            await self.gate.wait()
        return self.faults

    def routes(self) -> Sequence[BaseRoute]:
        """Return a route for each kind of trouble."""
        return [Route("/fails", self._fails, methods=["POST"]), Route("/waits", self._waits, methods=["POST"])]

    async def _fails(self, request: Request) -> Response:
        name = (await request.body()).decode()
        raise {
            "dependency": DependencyUnavailable("Kafka is away", retry_after_seconds=7),
            "overload": Overloaded("later"),
            "forbidden": Forbidden("no"),
            "bug": ValueError("the password is hunter2"),
        }[name]

    async def _waits(self, _: Request) -> Response:
        self.waiting.release()
        await self.gate.wait()
        return Response(status_code=204)

    async def handle(self, events: Sequence[CloudEvent]) -> Sequence[Failure | None]:
        """Keep the events."""
        self.handled += [event.id for event in events]
        return [REJECTED if event.id.startswith("bad") else None for event in events]


@pytest.fixture
def role() -> Recorder:
    """A role of its own for each test."""
    return Recorder(Settings(_env_file=None, max_requests_in_flight=2, max_body_bytes=1024))


@pytest.fixture
def app(role: Recorder) -> Iterator[FunctionApp]:
    """The application around the role, without a metrics port."""
    return FunctionApp(role, MetricsPage(role.registry, address="127.0.0.1", port=0))


async def post(app: FunctionApp, *ids: str, headers: Any = BATCH) -> Answer:
    """Post events with these ids."""
    body = ",".join(EVENT % event_id for event_id in ids)
    return await call(app, "POST", "/", headers, (f"[{body}]" if headers is BATCH else body).encode())


async def test_success_has_nothing_to_say(app: FunctionApp, role: Recorder) -> None:
    """When every event is durable the answer is 204, in order of the request."""
    answer = await post(app, "a", "b", "c")
    assert (answer.status, answer.body) == (204, b"")
    assert role.handled == ["a", "b", "c"]


async def test_only_failures_are_listed(app: FunctionApp, role: Recorder) -> None:
    """A batch with failures is a 207 that names them by index; invalid ones never reach the role."""
    answer = await post(app, "a", "bad1", "", "b", "bad2")
    assert answer.status == 207
    expected = {"status": 422, "class": "rejected", "code": "23514", "detail": "no", "source": "web"}
    first, second, third = answer.json["results"]
    assert first == expected | {"index": 1, "id": "bad1"}
    assert third == expected | {"index": 4, "id": "bad2"}
    assert (second["index"], second["id"], second["status"], second["class"]) == (2, "", 400, "invalid")
    assert role.handled == ["a", "bad1", "b", "bad2"]
    page = (await call(app, "GET", "/metrics")).body.decode()
    assert 'events_refused_total{failure_class="rejected"} 2.0' in page
    assert 'events_refused_total{failure_class="invalid"} 1.0' in page


async def test_what_never_happened_is_counted_as_0(app: FunctionApp) -> None:
    """Each class of failure and each kind of refusal has its series from the start, so that its first rise is seen."""
    page = (await call(app, "GET", "/metrics")).body.decode()
    assert [each for each in FailureClass if f'events_refused_total{{failure_class="{each}"}} 0.0' not in page] == []
    assert [each for each in (401, 403, 413, 429) if f'http_refusals_total{{status="{each}"}} 0.0' not in page] == []


async def test_refusals_are_counted_by_status(app: FunctionApp) -> None:
    """A request that is forbidden and one that is too large are told apart; a success is no refusal."""
    await call(app, "POST", "/fails", [], b"forbidden")
    await call(app, "POST", "/", BATCH, b"x" * 2000)
    await post(app, "a")
    page = (await call(app, "GET", "/metrics")).body.decode()
    counts = {status: f'http_refusals_total{{status="{status}"}} ' for status in (401, 403, 413, 429)}
    assert {status: page.split(line)[1].split()[0] for status, line in counts.items()} == {
        401: "0.0", 403: "1.0", 413: "1.0", 429: "0.0"
    }  # fmt: skip


async def test_a_single_event_fails_as_a_problem(app: FunctionApp) -> None:
    """One event alone is answered by its own status."""
    answer = await post(app, "bad", headers=STRUCTURED)
    assert (answer.status, answer.json["code"]) == (422, "23514")


async def test_an_empty_batch_is_done(app: FunctionApp, role: Recorder) -> None:
    """Nothing to do is done."""
    assert (await post(app)).status == 204
    assert role.handled == []


@pytest.mark.parametrize(
    ("name", "status", "retry_after", "failure_class"),
    [
        ("dependency", 503, "7", "dependency"),
        ("overload", 429, "1", "overload"),
        ("forbidden", 403, None, "endpoint"),
        ("bug", 500, None, "unexpected"),
    ],
)
async def test_errors(app: FunctionApp, name: str, status: int, retry_after: str | None, failure_class: str) -> None:
    """An error is answered by its class; one that nobody foresaw says nothing of what happened."""
    answer = await call(app, "POST", "/fails", [], name.encode())
    assert (answer.status, answer.json["class"]) == (status, failure_class)
    assert answer.headers.get("retry-after") == retry_after
    assert "hunter2" not in answer.body.decode()
    assert answer.headers["x-correlation-id"] == answer.json["correlation_id"]


async def test_work_in_flight_is_bounded(app: FunctionApp, role: Recorder) -> None:
    """As many requests as the setting says are served at once, the next is told to come back, and later it may."""
    tasks = [asyncio.create_task(call(app, "POST", "/waits")) for _ in range(2)]
    async with asyncio.timeout(5):
        for _ in tasks:
            await role.waiting.acquire()
    refused = await call(app, "POST", "/waits")
    assert (refused.status, refused.json["class"], refused.headers["retry-after"]) == (429, "overload", "1")
    role.gate.set()
    assert [answer.status for answer in await asyncio.gather(*tasks)] == [204, 204]
    assert (await call(app, "POST", "/waits")).status == 204


async def test_a_body_is_refused_while_it_arrives(app: FunctionApp) -> None:
    """Of a body over the limit no more is read than shows it."""
    pulled = []

    def parts() -> Iterator[bytes]:
        for number in range(100):
            pulled.append(number)
            yield b" " * 500

    answer = await call(app, "POST", "/", BATCH, parts())
    assert (answer.status, len(pulled)) == (413, 3)  # 500 and 1,000 bytes fit into 1,024


@pytest.mark.parametrize(("length", "status"), [("1025", 413), ("9" * 50, 413), ("1024", 400), ("-1", 400), ("x", 400)])
async def test_an_announced_length(app: FunctionApp, length: str, status: int) -> None:
    """A length over the limit is refused at once; an absurd one is not believed."""
    assert (await call(app, "POST", "/", [*BATCH, ("content-length", length)], b"{")).status == status


async def test_readiness_is_asked_once_for_many_probes(app: FunctionApp, role: Recorder) -> None:
    """Several probes within half a second cost one look at the dependencies."""
    answers = [await call(app, "GET", path) for path in ("/ready", "/_/ready", "/health/readiness")]
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert answers[0].json == {"status": "ready", "role": "process-signal", "checks": {"store": "ok"}}
    assert role.checks == 1


async def test_a_dependency_that_hangs_is_asked_once(role: Recorder) -> None:
    """Anybody may ask whether a function is ready: many who do so at once make one look, and all get its answer."""
    role.slow = True
    app = FunctionApp(role, MetricsPage(role.registry, address="127.0.0.1", port=0))
    first = asyncio.create_task(call(app, "GET", "/ready"))
    async with asyncio.timeout(5):
        await role.waiting.acquire()
        second = asyncio.create_task(call(app, "GET", "/ready"))
        await call(app, "GET", "/health")  # the second has begun when this is answered
        role.gate.set()
        assert [answer.status for answer in await asyncio.gather(first, second)] == [200, 200]
    assert role.checks == 1


async def test_not_ready_says_why(app: FunctionApp, role: Recorder) -> None:
    """One dependency that is away makes the whole not ready."""
    role.faults = {"store": None, "kafka": "no broker answers"}
    answer = await call(app, "GET", "/ready")
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert answer.json["checks"] == {"store": "ok", "kafka": "no broker answers"}


async def test_clients_are_made_once_and_closed(app: FunctionApp, role: Recorder) -> None:
    """The first requests, however many at once, open the role once; closing closes it once."""
    assert role.opened == 0
    await asyncio.gather(*(call(app, "GET", "/health") for _ in range(20)))
    assert role.opened == 1
    await app.close()
    await app.close()
    assert role.closed == 1


async def test_a_taken_metrics_port_is_named(role: Recorder) -> None:
    """A function whose metrics port is taken answers every request with a problem that names the port."""
    holder = MetricsPage(CollectorRegistry(), address="127.0.0.1", port=14_099)
    holder.start()
    try:
        page = MetricsPage(role.registry, address="127.0.0.1", port=14_099)
        with pytest.raises(ConfigurationError, match="14099"):
            page.start()
        app = FunctionApp(role, page)
        answer = await call(app, "GET", "/health")
        assert (answer.status, answer.json["code"]) == (500, "configuration_error")
        assert "14099" in answer.json["detail"]
    finally:
        holder.stop()
    assert (await call(app, "GET", "/health")).status == 200
    await app.close()


@pytest.mark.parametrize("detail", ["x" * 10_000, "é" * 10_000, '"' * 10_000])
def test_a_problem_is_short(detail: str) -> None:
    """Whatever there is to say, a problem stays below 1 KB, so that a dead letter can carry it."""
    failure = Failure(failure_class=FailureClass.OVERLOAD, code="c" * 40, detail=detail)
    assert len(bytes(problem_response(failure).body)) < 1200
