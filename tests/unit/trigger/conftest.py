"""A scripted function, a dead-letter topic in memory and a dispatcher between them, without Kafka."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace

import orjson
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from signal_pipeline.domain.retry import Backoff
from signal_pipeline.events.kafka import KafkaRecord
from signal_pipeline.observability.metrics import DeliveryMetrics
from signal_pipeline.trigger.delivery import FunctionClient
from signal_pipeline.trigger.dispatch import Dispatcher
from signal_pipeline.trigger.manifest import KafkaTrigger
from signal_pipeline.trigger.pending import Fate, Pending

DEADLINE_SECONDS = 20
TRIGGER = KafkaTrigger(
    name="t",
    function="process-signal",
    url="",
    topics=("signal-events",),
    group="g",
    source="/source",
    offset_reset="earliest",
    protocol="classic",
    batch=True,
    batch_events=100,
    batch_bytes=1024 * 1024,
    batch_window_seconds=0.001,
    in_flight=2,
    max_attempts=3,
    backoff=Backoff(base_seconds=0.01, cap_seconds=0.05),
    timeout_seconds=1.0,
    dead_letter_topic="signal-events-dlq",
    quarantine_topic="signal-events-quarantine",
    max_event_age_seconds=None,
    wrap_record=False,
)

Reply = Callable[[list[str]], Awaitable[web.StreamResponse]]


class Function:
    """A function that answers as the test says; it counts which events it called durable.

    Attributes:
        reply: Gets the ids of a request's events and answers.
        landed: How often each event was answered with success.
        requests: The ids of each request, in order.
    """

    def __init__(self) -> None:
        self.landed: Counter[str] = Counter()
        self.requests: list[list[str]] = []
        self.reply: Reply = self.succeed

    async def succeed(self, ids: list[str]) -> web.Response:
        """Make all events durable."""
        self.landed.update(ids)
        return web.Response(status=204)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        if "ce-id" in request.headers:
            ids = [request.headers["ce-id"]]
        else:
            ids = [element["id"] for element in orjson.loads(await request.read())]
        self.requests.append(ids)
        return await self.reply(ids)


class Letters:
    """A dead-letter topic in memory, which can be unavailable."""

    def __init__(self) -> None:
        self.written: list[Pending] = []
        self.available = True
        self.refusals = 0

    async def write(self, doomed: Sequence[Pending]) -> bool:
        """Acknowledge, or not."""
        if not self.available:
            self.refusals += 1
            return False
        for one in doomed:
            one.fate = Fate.DURABLE
        self.written.extend(doomed)
        return True

    @property
    def ids(self) -> list[str]:
        """The ids of the dead letters."""
        return [event_id(one.record) for one in self.written]


class Bench:
    """A dispatcher with its function and its dead letters."""

    def __init__(self, dispatcher: Dispatcher, function: Function, letters: Letters) -> None:
        self.dispatcher = dispatcher
        self.function = function
        self.letters = letters
        self.committed: dict[tuple[str, int], int] = {}

    def send(self, partition: int, ids: Sequence[str], *, start: int = 0, timestamp_ms: int = 2**50) -> None:
        """Hand records of one partition to the dispatcher."""
        if ("signal-events", partition) not in self.dispatcher.partitions:
            self.dispatcher.assigned([("signal-events", partition)])
        self.dispatcher.received(
            [record(partition, start + number, one, timestamp_ms) for number, one in enumerate(ids)]
        )

    def commit(self, partition: int) -> int | None:
        """Return the offset that may be committed for a partition."""
        self.committed.update(self.dispatcher.commits())
        return self.committed.get(("signal-events", partition))

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for a condition, at most twenty seconds."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not condition():
                if self.dispatcher.crashed.done():
                    self.dispatcher.crashed.result()
                await asyncio.sleep(0.002)


def record(partition: int, offset: int, name: str, timestamp_ms: int = 2**50) -> KafkaRecord:
    """Return a CloudEvent in binary mode."""
    headers = (("ce_specversion", b"1.0"), ("ce_id", name.encode()), ("ce_source", b"web"), ("ce_type", b"click"))
    return KafkaRecord("signal-events", partition, offset, timestamp_ms, b"k", b"{}", headers)


def event_id(of: KafkaRecord) -> str:
    """Return the id of an event."""
    return next(value.decode() for name, value in of.headers if name == "ce_id" and value is not None)


async def _stranger(_: web.Request) -> web.Response:
    return web.Response(status=204)


@pytest.fixture
def trigger() -> KafkaTrigger:
    """The trigger under test; a test module may override it."""
    return TRIGGER


@pytest.fixture
async def bench(trigger: KafkaTrigger) -> AsyncIterator[Bench]:
    """A dispatcher that delivers to a scripted function over real HTTP."""
    function, letters = Function(), Letters()
    app = web.Application(client_max_size=16 * 1024 * 1024)
    app.router.add_post("/", function.handle)
    app.router.add_route("*", "/stranger", _stranger)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    metrics = DeliveryMetrics(CollectorRegistry())
    pointed = replace(trigger, url=f"http://127.0.0.1:{port}/")
    async with FunctionClient(pointed, metrics) as client:
        dispatcher = Dispatcher(pointed, client, letters, metrics)
        yield Bench(dispatcher, function, letters)
        await dispatcher.drain(wait_seconds=5)
    await runner.cleanup()
