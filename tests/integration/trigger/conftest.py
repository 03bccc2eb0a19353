"""A real function process that can be killed, and triggers that deliver to it."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from signal_pipeline.domain.retry import Backoff
from signal_pipeline.trigger.main import run_triggers
from signal_pipeline.trigger.manifest import KafkaTrigger
from tests.integration.kafka_fixture import KafkaBroker

DEADLINE_SECONDS = 60.0
_SCRIPT = Path(__file__).with_name("function_process.py")


class FunctionProcess:
    """A function in a process of its own; what it called durable is in a file, which survives its death."""

    def __init__(self, folder: Path) -> None:
        self.landed_file = folder / "landed"
        self.landed_file.touch()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
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


def make_trigger(function: FunctionProcess, topic: str, dead_letter_topic: str, *, group: str = "") -> KafkaTrigger:
    """Return a trigger with short delays from a topic to a function."""
    return KafkaTrigger(
        name=topic,
        function="process-signal",
        url=function.url,
        topics=(topic,),
        group=group or f"group-{topic}",
        source="/source",
        offset_reset="earliest",
        protocol="classic",
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
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
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


def environment(kafka: KafkaBroker, function: FunctionProcess) -> dict[str, str]:
    """Return the environment of the product's own commands against this broker and function."""
    offset = str(kafka.settings.port_offset)
    return {**os.environ, "PORT_OFFSET": offset, "FUNCTION_URL_PROCESS_SIGNAL": function.url}
