"""The connector between a real broker, a gateway and functions: nothing is lost, whatever comes and goes."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import psycopg
import pytest

from local.layout import ROOT
from signal_pipeline.broker.admin import apply_topics
from signal_pipeline.events.kafka import OutgoingRecord
from signal_pipeline.topology import DEAD_LETTERS
from signal_pipeline.trigger.openfaas.main import run_connector
from tests.integration.kafka_fixture import KafkaBroker
from tests.integration.trigger.conftest import (
    DEADLINE_SECONDS,
    PARTITIONS,
    FunctionProcess,
    drained,
    free_port,
    outgoing,
    produce,
    until,
)
from tests.support.gateway import FakeGateway

TOTAL = 6_000
SMALL_BATCHES = {"__batch_size": "100", "__in_flight": "1"}  # so that there is a middle


@asynccontextmanager
async def connected(kafka: KafkaBroker, gateway: FakeGateway) -> AsyncIterator[int]:
    """Run a connector with the shipped manifests; yields the port of its page, and proves its orderly end."""
    port, stop = free_port(), asyncio.Event()
    settings = kafka.settings.model_copy(update={"openfaas_url": gateway.url, "openfaas_refresh_seconds": 0.1})
    task = asyncio.create_task(run_connector(settings, port=port, folder=ROOT / "triggers", stop=stop))
    try:
        yield port
    finally:
        stop.set()
        async with asyncio.timeout(DEADLINE_SECONDS):
            assert await task == 0


@pytest.fixture
def process_signal(database_url: str, kafka: KafkaBroker, tmp_path: Path) -> Iterator[str]:
    """The role process-signal in a process of its own, as an image serves it; yields its address."""
    port = free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if name not in {"ROLE", "PORT"}},
        "ROLE": "process-signal",
        "PORT": str(port),
        "PORT_OFFSET": str(kafka.settings.port_offset),
        "PROCESS_SIGNAL_METRICS_PORT": str(free_port()),
        "DATABASE_URL": database_url,
        "TRIGGER_METRICS_URL": "-",
    }
    command = [sys.executable, "-m", "signal_pipeline", "serve"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
    yield f"http://127.0.0.1:{port}"
    process.kill()
    process.wait()


def signal(topic: str, number: int, *, poison: bool = False) -> OutgoingRecord:
    """Return a signal whose id is its number; a poisoned one has broken data."""
    event_id = f"00000000-0000-4000-8000-{number:012d}".encode()
    headers = [
        (b"ce_specversion", b"1.0"), (b"ce_id", event_id), (b"ce_source", b"web"), (b"ce_type", b"click"),
        (b"ce_subject", b"user_1"), (b"ce_time", b"2026-01-01T10:00:00Z"), (b"content-type", b"application/json"),
    ]  # fmt: skip
    value = b"{broken" if poison else b'{"session_id": "sess_12345", "data": "sample_data_50"}'
    named = tuple((name.decode(), text) for name, text in headers)
    return OutgoingRecord(topic=topic, key=b"user_%d" % number, value=value, headers=named)


async def test_from_discovery_to_the_row(
    kafka: KafkaBroker, database_url: str, process_signal: str, function: FunctionProcess
) -> None:
    """A deployed function is found, its signals are stored, its poison is dead-lettered, its offsets are committed.

    A neighbour that subscribes to the same topic with a group of its own gets every event too.
    """
    apply_topics(kafka.settings)
    topic, poison = kafka.topic(PARTITIONS), {7, 300, 599}
    await produce(kafka, [signal(topic, number, poison=number in poison) for number in range(600)])
    async with FakeGateway() as gateway, connected(kafka, gateway):
        gateway.deploy("process-signal", process_signal, topic=topic)
        neighbour = f"neighbour-of-{topic}"
        gateway.deploy(neighbour, function.url, topic=topic)
        for group in ("process-signal", neighbour):
            await until(lambda group=group: drained(kafka, group, topic))  # type: ignore[misc]
    with psycopg.connect(database_url) as connection:
        stored = connection.execute("SELECT id::text FROM signals").fetchall()
    assert {int(row[0][-12:]) for row in stored} == set(range(600)) - poison
    letters = [one for one in kafka.records(DEAD_LETTERS.name) if dict(one.headers)["ce_dlqtopic"] == topic.encode()]
    assert {int((dict(one.headers)["ce_id"] or b"")[-12:]) for one in letters} == poison
    assert len(function.landed()) == 600


async def test_a_function_that_is_removed_midway_is_drained(kafka: KafkaBroker, function: FunctionProcess) -> None:
    """What landed is committed and nothing more is delivered; deployed again, it gets the rest, each event once."""
    apply_topics(kafka.settings)
    topic = kafka.topic(PARTITIONS)
    name = f"removed-{topic}"
    await produce(kafka, [outgoing(topic, number) for number in range(TOTAL)])
    async with FakeGateway() as gateway, connected(kafka, gateway) as port:
        gateway.deploy(name, function.url, topic=topic, **SMALL_BATCHES)
        await until(lambda: len(function.landed()) > 0)
        gateway.remove(name)
        await until(lambda: _without(port, name))
        landed = sum(function.landed().values())
        assert 0 < landed < TOTAL, "it was removed after the work was done"
        committed = kafka.committed(name, topic, PARTITIONS)
        assert sum(offset for offset in committed.values() if offset > 0) == landed
        gateway.deploy(name, function.url, topic=topic, **SMALL_BATCHES)
        await until(lambda: drained(kafka, name, topic))
    assert function.landed() == Counter(f"id-{number}" for number in range(TOTAL))


async def test_a_gateway_or_function_that_is_away_loses_nothing(kafka: KafkaBroker, function: FunctionProcess) -> None:
    """Events wait while the gateway is away, and while it cannot reach the function; none is given up."""
    apply_topics(kafka.settings)
    topic = kafka.topic(PARTITIONS)
    name = f"outage-{topic}"
    await produce(kafka, [outgoing(topic, number) for number in range(TOTAL)])
    async with FakeGateway() as gateway, connected(kafka, gateway) as port:
        gateway.deploy(name, function.url, topic=topic, **SMALL_BATCHES)
        await until(lambda: len(function.landed()) > 0)
        await until(lambda: _ready(port))
        await gateway.stop()
        await until(lambda: _unready(port))
        assert len(function.landed()) < TOTAL, "the gateway went after the work was done"
        function.kill()
        await gateway.start()
        asked = len(gateway.invocations)
        await until(lambda: len(gateway.invocations) > asked)
        await produce(kafka, [outgoing(topic, number) for number in range(TOTAL, 2 * TOTAL)])
        function.start()
        await until(lambda: drained(kafka, name, topic))
    assert set(function.landed()) == {f"id-{number}" for number in range(2 * TOTAL)}
    for letters in ("signal-events-dlq", "signal-events-quarantine"):
        assert not [one for one in kafka.records(letters) if dict(one.headers)["ce_dlqtopic"] == topic.encode()]


async def _without(port: int, role: str) -> bool:
    return f'role="{role}"' not in await _get(port, "/metrics")


async def _ready(port: int) -> bool:
    return '"ready"' in await _get(port, "/ready")


async def _unready(port: int) -> bool:
    return "not ready" in await _get(port, "/ready")


async def _get(port: int, path: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as answer:
        return await answer.text()
