"""What a function gets, by the form that its manifest names and the way it is called."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.events.http import Mode, decode_request
from signal_pipeline.observability.metrics import DeliveryMetrics
from signal_pipeline.trigger.delivery import FunctionClient
from signal_pipeline.trigger.manifest import KafkaTrigger
from signal_pipeline.trigger.verdicts import Answer
from tests.unit.trigger.conftest import TRIGGER, record

UNREACHED = "Can't reach service for: process-signal."


class Server:
    """A function that keeps the last request and answers as it is told."""

    def __init__(self) -> None:
        self.url = ""
        self.headers: list[tuple[str, str]] = []
        self.body = b""
        self.answer = (204, "")

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request."""
        self.headers = [(name.lower(), value) for name, value in request.headers.items()]
        self.body = await request.read()
        return web.Response(status=self.answer[0], text=self.answer[1])


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """A function on a port of its own."""
    one, app = Server(), web.Application()
    app.router.add_post("/", one.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    one.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield one
    await runner.cleanup()


async def delivered(trigger: KafkaTrigger, names: Sequence[str], *, batch: bool) -> Answer:
    """Deliver records of these names and return the answer."""
    records = [record(0, number, name) for number, name in enumerate(names)]
    async with FunctionClient(trigger, DeliveryMetrics(CollectorRegistry())) as client:
        return await client.deliver(records, batch=batch)


async def test_the_form_of_openfaas_own_connector(server: Server) -> None:
    """With `wire: openfaas` the value is the body, the place and the key are headers; a function of ours reads it."""
    assert await delivered(replace(TRIGGER, url=server.url, wire="openfaas"), ["a"], batch=False) == Answer()
    headers = dict(server.headers)
    expected = {
        "x-topic": "signal-events",
        "x-kafka-partition": "0",
        "x-kafka-offset": "0",
        "x-kafka-key": "k",
        "x-kafka-ce_id": "a",
    }
    assert expected.items() <= headers.items()
    assert server.body == b"{}"
    request = decode_request(server.headers, server.body)
    assert (request.mode, request.events[0].id) == (Mode.RECORD, "a")


async def test_without_it_an_event_is_a_cloud_event(server: Server) -> None:
    """The default form carries the event in ce- headers, and no header of that connector."""
    await delivered(replace(TRIGGER, url=server.url), ["a"], batch=False)
    headers = dict(server.headers)
    assert headers["ce-id"] == "a"
    assert not any(name.startswith(("x-topic", "x-kafka-")) for name in headers)


@pytest.mark.parametrize(("gateway", "expected"), [(True, FailureClass.DEPENDENCY), (False, FailureClass.UNEXPECTED)])
async def test_who_says_500_counts(server: Server, gateway: bool, expected: FailureClass) -> None:  # noqa: FBT001
    """The gateway's 500 for a function that it cannot reach costs an event no attempt; a function's own does."""
    server.answer = (500, UNREACHED)
    trigger = replace(TRIGGER, url=server.url, through_gateway=gateway)
    answer = await delivered(trigger, ["a", "b"], batch=True)
    assert answer.whole is not None
    assert answer.whole.failure_class is expected
