"""A real function process that can be killed, and triggers that deliver to it."""

import asyncio
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import pytest

from signal_pipeline.broker.producer import KafkaProducer
from signal_pipeline.domain.retry import Backoff
from signal_pipeline.events.kafka import OutgoingRecord
from signal_pipeline.trigger.main import run_triggers
from signal_pipeline.trigger.manifest import KafkaTrigger
from tests.integration.kafka_fixture import KafkaBroker

Protocol = Literal["classic", "consumer"]

DEADLINE_SECONDS = 60.0
PARTITIONS = 6
PROTOCOLS = pytest.mark.parametrize("protocol", ["classic", "consumer"])
_SCRIPT = Path(__file__).with_name("function_process.py")


class FunctionProcess:
    """A function in a process of its own; what it called durable is in a file, which survives its death."""

    def __init__(self, folder: Path) -> None:
        self.landed_file = folder / "landed"
        self.landed_file.touch()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it listens."""
        self._process = subprocess.Popen([sys.executable, str(_SCRIPT), str(self.port), str(self.landed_file)])
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not _listens(self.port):
            assert time.monotonic() < deadline, "the function did not start in time"
            time.sleep(0.02)

    def kill(self) -> None:
        """End it without warning."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def landed(self) -> Counter[str]:
        """Return how often each event was made durable."""
        text = self.landed_file.read_text()
        return Counter(text[: text.rfind("\n") + 1].split())


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def function(tmp_path: Path) -> Iterator[FunctionProcess]:
    """A function process that runs; killed at the end."""
    process = FunctionProcess(tmp_path)
    process.start()
    yield process
    process.kill()


def make_trigger(
    function: FunctionProcess, topic: str, dead_letter_topic: str, *, group: str = "", protocol: Protocol = "classic"
) -> KafkaTrigger:
    """Return a trigger with short delays from a topic to a function."""
    return KafkaTrigger(
        name=topic,
        function="process-signal",
        url=function.url,
        topics=(topic,),
        group=group or f"group-{topic}",
        source="/source",
        offset_reset="earliest",
        protocol=protocol,
        batch=True,
        batch_events=200,
        batch_bytes=1024 * 1024,
        batch_window_seconds=0.005,
        in_flight=2,
        max_attempts=3,
        backoff=Backoff(base_seconds=0.05, cap_seconds=0.5),
        timeout_seconds=5.0,
        dead_letter_topic=dead_letter_topic,
        quarantine_topic=None,
        max_event_age_seconds=None,
        wrap_record=False,
    )


@asynccontextmanager
async def running(trigger: KafkaTrigger, kafka: KafkaBroker) -> AsyncIterator[int]:
    """Run a trigger in this process; yields the port of its page, and proves its orderly end."""
    port = free_port()
    stop = asyncio.Event()
    task = asyncio.create_task(run_triggers([trigger], kafka.settings, port=port, stop=stop))
    try:
        await until(lambda: _listens(port))
        yield port
    finally:
        stop.set()
        async with asyncio.timeout(DEADLINE_SECONDS):
            assert await task == 0


async def until(condition: Callable[[], Awaitable[bool] | bool]) -> None:
    """Wait for a condition with a deadline; a blocking one is asked in a thread."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            result = await asyncio.to_thread(condition)
            if result if isinstance(result, bool) else await result:
                return
            await asyncio.sleep(0.05)


def outgoing(topic: str, number: int, *, poison: bool = False) -> OutgoingRecord:
    """Return a numbered event; a poisoned one has broken data and bytes that no text can hold."""
    headers: list[tuple[str, bytes | None]] = [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"id-%d" % number),
        ("ce_source", b"web"),
        ("ce_type", b"click"),
        ("content-type", b"application/json"),
    ]
    if poison:
        headers += [("x-raw", b"\xff\x00"), ("x-raw", None), ("ce_dlqid", b"forged")]
    value = b"poison \xff %d" % number if poison else b'{"n":%d}' % number
    return OutgoingRecord(topic=topic, key=b"user_%d" % (number % 50), value=value, headers=tuple(headers))


async def produce(kafka: KafkaBroker, records: list[OutgoingRecord]) -> None:
    """Produce records and check that each was acknowledged."""
    producer = KafkaProducer(kafka.settings)
    assert await producer.produce(records, timeout_seconds=30) == [None] * len(records)
    await producer.close()


def drained(kafka: KafkaBroker, group: str, topic: str, partitions: int = PARTITIONS) -> bool:
    """Tell whether the group has committed everything that the topic holds."""
    return kafka.committed(group, topic, partitions) == kafka.ends(topic)
