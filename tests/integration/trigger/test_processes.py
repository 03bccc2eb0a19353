"""What a trigger process guarantees when it ends, in order or not, by either protocol of consumer groups."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.layout import ROOT
from signal_pipeline.broker.admin import apply_topics
from tests.integration.kafka_fixture import KafkaBroker
from tests.integration.trigger.conftest import (
    PARTITIONS,
    PROTOCOLS,
    FunctionProcess,
    Protocol,
    drained,
    free_port,
    outgoing,
    produce,
    until,
)

TOTAL = 10_000
_PREFIX = "signal-pipeline.dev/"
# `signal-pipeline trigger process-signal`, but for the folder of its manifests.
_PROGRAM = """
import sys
from pathlib import Path
from signal_pipeline.commands.running import command_settings
from signal_pipeline.trigger.main import run
with command_settings("process-signal-trigger") as settings:
    sys.exit(run("process-signal", settings, folder=Path("triggers")))
"""


class TriggerProcesses:
    """Starts the product's own trigger process on a topic of the test's own.

    Attributes:
        topic: What they consume.
        group: Their consumer group.
    """

    def __init__(self, kafka: KafkaBroker, function: FunctionProcess, folder: Path, protocol: Protocol) -> None:
        self.topic = kafka.topic(PARTITIONS)
        self.group = f"processes-of-{self.topic}"
        self._folder = folder
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PORT_OFFSET": str(kafka.settings.port_offset),
            "FUNCTION_URL_PROCESS_SIGNAL": function.url,
        }
        self._started: list[subprocess.Popen[bytes]] = []
        self._write_manifests(protocol)

    def start(self, instance: str = "") -> subprocess.Popen[bytes]:
        """Start one, with the name of a slot or without; its log is a file."""
        variables = {"TRIGGER_INSTANCE": instance, "PROCESS_SIGNAL_TRIGGER_PORT": str(free_port())}
        with self._log(len(self._started)).open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM],
                cwd=self._folder,
                env=self._environment | variables,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._started.append(process)
        return process

    def log(self, process: subprocess.Popen[bytes]) -> list[dict[str, Any]]:
        """Return what a process has logged."""
        lines = self._log(self._started.index(process)).read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def logged_at(self, process: subprocess.Popen[bytes], event: str) -> datetime:
        """Return when a process first logged an event."""
        return next(datetime.fromisoformat(line["timestamp"]) for line in self.log(process) if line["event"] == event)

    def kill(self) -> None:
        """End them all without warning."""
        for each in self._started:
            each.kill()
            each.wait()

    def _log(self, number: int) -> Path:
        return self._folder / f"trigger-{number}.log"

    def _write_manifests(self, protocol: Protocol) -> None:
        """Write the product's manifest with this topic, group and protocol; nothing else differs."""
        (self._folder / "triggers").mkdir()
        for name in ("process-signal.yaml", "kafka-sinks.yaml"):
            documents = list(yaml.safe_load_all((ROOT / "triggers" / name).read_text()))
            for document in documents:
                if document["kind"] == "KafkaSource":
                    document["metadata"]["annotations"][f"{_PREFIX}group-protocol"] = protocol
                    document["spec"] |= {"topics": [self.topic], "consumerGroup": self.group}
            kept = [each for each in documents if each["kind"] != "PingSource"]
            (self._folder / "triggers" / name).write_text(yaml.safe_dump_all(kept))


@pytest.fixture
def triggers(
    kafka: KafkaBroker, function: FunctionProcess, tmp_path: Path, protocol: Protocol
) -> Iterator[TriggerProcesses]:
    """Trigger processes of one protocol; killed at the end."""
    apply_topics(kafka.settings)
    processes = TriggerProcesses(kafka, function, tmp_path, protocol)
    yield processes
    processes.kill()


async def under_way(kafka: KafkaBroker, function: FunctionProcess, triggers: TriggerProcesses) -> None:
    """Produce events and wait until a part of them has landed."""
    await produce(kafka, [outgoing(triggers.topic, number) for number in range(TOTAL)])
    await until(lambda: len(function.landed()) > 0)


@PROTOCOLS
async def test_sigterm_ends_the_process_in_order(
    kafka: KafkaBroker, function: FunctionProcess, triggers: TriggerProcesses
) -> None:
    """Under load the process commits what it did and exits 0 within 30 s; the next one repeats nothing."""
    first = triggers.start()
    await under_way(kafka, function, triggers)
    first.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(first.wait, 30) == 0, triggers.log(first)[-5:]
    assert len(function.landed()) < TOTAL, "it ended after the work was done"
    triggers.start()
    await until(lambda: drained(kafka, triggers.group, triggers.topic))
    assert function.landed() == Counter(f"id-{number}" for number in range(TOTAL))


@pytest.mark.parametrize("protocol", ["consumer"])  # of the classic one the slot below and the fault matrix tell
async def test_another_process_takes_over_from_a_killed_one(
    kafka: KafkaBroker, function: FunctionProcess, triggers: TriggerProcesses
) -> None:
    """A process killed under load loses nothing: another of its group has the partitions after the session's 10 s."""
    first = triggers.start()
    await under_way(kafka, function, triggers)
    first.kill()
    assert len(function.landed()) < TOTAL, "it was killed after the work was done"
    triggers.start()
    await until(lambda: drained(kafka, triggers.group, triggers.topic))
    assert set(function.landed()) == {f"id-{number}" for number in range(TOTAL)}


@pytest.mark.parametrize("protocol", ["classic"])
async def test_a_killed_process_of_a_named_slot_has_its_partitions_back_at_once(
    kafka: KafkaBroker, function: FunctionProcess, triggers: TriggerProcesses
) -> None:
    """Restarted under its name it goes on before the session of the killed one has run out, and loses nothing."""
    first = triggers.start("slot-1")
    await under_way(kafka, function, triggers)
    first.kill()
    assert len(function.landed()) < TOTAL, "it was killed after the work was done"
    second = triggers.start("slot-1")
    await until(lambda: drained(kafka, triggers.group, triggers.topic))
    started, assigned = (triggers.logged_at(second, event) for event in ("trigger_started", "partitions_assigned"))
    # Without the name it would wait for what is left of the session: the silence counts from the last heartbeat, at
    # most 3 s before the end, and a start takes 1 s: 10 - 3 - 1 = 6 s.
    assert assigned - started < timedelta(seconds=5)
    assert set(function.landed()) == {f"id-{number}" for number in range(TOTAL)}


@pytest.mark.parametrize("protocol", ["classic"])
async def test_of_two_processes_with_one_name_the_older_ends(
    kafka: KafkaBroker, function: FunctionProcess, triggers: TriggerProcesses
) -> None:
    """The broker fences it: it says so, exits 1 without a wait for its supervisor, and the newer one does the rest."""
    first = triggers.start("slot-1")
    await under_way(kafka, function, triggers)
    triggers.start("slot-1")
    assert await asyncio.to_thread(first.wait, 30) == 1
    (said,) = [line for line in triggers.log(first) if line["event"] == "consumer_failed"]
    assert said["instance"] == "slot-1"
    assert "fenced" in said["detail"]
    await until(lambda: drained(kafka, triggers.group, triggers.topic))
    assert set(function.landed()) == {f"id-{number}" for number in range(TOTAL)}
