"""Single processes of the product, as its own command starts them, that die when a test says so."""

import asyncio
import os
import signal
import socket
import struct
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from local.layout import ROOT
from tests.integration.kafka_fixture import KafkaBroker
from tests.support.metrics import page

__all__ = ["DEADLINE_SECONDS", "Part", "counter", "leave_group", "until"]

DEADLINE_SECONDS = 60.0
_PAUSE_SECONDS = 0.05
_LEAVE_GROUP = 13  # Kafka's number of the request


class Part:
    """One process.

    Args:
        arguments: What its command line says.
        variables: Settings that differ from this test run's environment.
        ready_url: Answers 200 when it serves.
        log: Where its output goes; pytest shows where that is when a test fails.
    """

    def __init__(self, arguments: Sequence[str], variables: Mapping[str, str], ready_url: str, log: Path) -> None:
        self.name = " ".join(arguments)
        self._ready_url = ready_url
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "signal_pipeline", *arguments],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def ready(self) -> None:
        """Wait until it serves."""
        await until(self._answers, what=f"{self.name} serves")

    def _answers(self) -> bool:
        assert self._process.poll() is None, f"{self.name} ended by itself"
        try:
            # The address is the process's own.
            with urllib.request.urlopen(self._ready_url, timeout=5) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def kill(self) -> None:
        """End it without warning; `AssertionError` when it had ended before."""
        assert self._process.poll() is None, f"{self.name} had ended before it was killed"
        self._process.kill()
        assert self._process.wait() == -signal.SIGKILL

    def end(self) -> None:
        """Make sure that it does not run."""
        self._process.kill()
        self._process.wait()


async def until(condition: Callable[[], bool], *, what: str, seconds: float = DEADLINE_SECONDS) -> None:
    """Wait for a condition, which is asked in a thread; `AssertionError` says what did not happen."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while not await asyncio.to_thread(condition):
        assert loop.time() < deadline, f"not within {seconds} s: {what}"
        await asyncio.sleep(_PAUSE_SECONDS)


def counter(port: int, name: str, **labels: str) -> int:
    """Return the sum of a metric's samples that have these labels; a metric without such a sample counts 0."""
    families = text_string_to_metric_families(page(port))
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return int(sum(one.value for one in samples if labels.items() <= one.labels.items()))


def leave_group(kafka: KafkaBroker, group: str) -> None:
    """Tell the broker that a group's members are gone, as it would find out by itself after their session timeout.

    That takes the product's 10 s, in which nothing happens; one test waits for them.
    """
    admin = kafka.admin()
    (described,) = admin.describe_consumer_groups([group]).values()
    for member in described.result(timeout=DEADLINE_SECONDS).members:
        texts = b"".join(struct.pack(">h", len(text)) + text.encode() for text in ("test", group, member.member_id))
        request = struct.pack(">hhi", _LEAVE_GROUP, 0, 1) + texts
        with socket.create_connection(("127.0.0.1", kafka.settings.kafka_port), timeout=DEADLINE_SECONDS) as broker:
            broker.sendall(struct.pack(">i", len(request)) + request)
            answer = broker.recv(1024)
        assert answer[-2:] == b"\0\0", f"the member of {group} did not leave: {answer!r}"
