"""Further triggers beside the pipeline's own, and a witness of what groups commit."""

import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Self

from confluent_kafka import Consumer, KafkaException, TopicPartition

from local.ports import is_free
from tests.support.pipeline import ROOT, Pipeline
from tests.support.waiting import wait_for

__all__ = ["CommitWitness", "committed", "extra_trigger", "ready"]

_START_SECONDS = 60
_STOP_SECONDS = 40
_LOOK_SECONDS = 0.25
_PORTS = range(8200, 8290)  # above the ports of the pipeline, before the offset is added
# The manifests' folder is no setting of the product; a test may have one of its own.
_PROGRAM = """
import sys
from pathlib import Path
from typing import Self
from signal_pipeline.settings import load_settings
from signal_pipeline.trigger.main import run
sys.exit(run(sys.argv[1], load_settings(), folder=Path(sys.argv[2])))
"""


@contextmanager
def extra_trigger(
    pipeline: Pipeline, role: str = "process-signal", *, folder: Path = ROOT / "triggers"
) -> Iterator[subprocess.Popen[bytes]]:
    """Run one more trigger of a role until the end of the block; it ends in order, if it still runs."""
    offset = pipeline.settings.port_offset
    port = next(port + offset for port in _PORTS if is_free(port + offset, "127.0.0.1"))
    variables = {**os.environ, **pipeline.variables, f"{role.replace('-', '_').upper()}_TRIGGER_PORT": str(port)}
    log = pipeline.state / "logs" / "extra-trigger.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, role, str(folder)], cwd=ROOT, env=variables, stdout=output, stderr=output
        )
    try:
        wait_for(lambda: ready(port), seconds=_START_SECONDS, what="a further trigger")
        yield process
    finally:
        process.terminate()
        assert process.wait(_STOP_SECONDS) is not None


def ready(port: int) -> bool:
    """Tell whether the trigger with this page has its part of the group."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=5) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except OSError:
        return False


def committed(pipeline: Pipeline, group: str, topic: str) -> dict[int, int]:
    """Return the committed offset of each partition that has one."""
    consumer = Consumer({"bootstrap.servers": pipeline.bootstrap, "group.id": group})
    try:
        return _committed(consumer, topic)
    finally:
        consumer.close()


class CommitWitness:
    """Looks at a group's commits all the time, in a thread of its own; use as a context manager.

    Attributes:
        looks: How often it saw them.
        backwards: Commits that were lower than one seen before: `(partition, from, to)`.
    """

    def __init__(self, pipeline: Pipeline, group: str, topic: str) -> None:
        self._consumer = Consumer({"bootstrap.servers": pipeline.bootstrap, "group.id": group})
        self._topic = topic
        self._seen: dict[int, int] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.looks = 0
        self.backwards: list[tuple[int, int, int]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
        self._consumer.close()

    def _look(self) -> None:
        while not self._ending.wait(_LOOK_SECONDS):
            try:
                self._compare(_committed(self._consumer, self._topic))
            except KafkaException:
                continue  # a broker that is away commits nothing either

    def _compare(self, now: Mapping[int, int]) -> None:
        self.looks += 1
        for partition, offset in now.items():
            before = self._seen.get(partition, offset)
            if offset < before:
                self.backwards.append((partition, before, offset))
        self._seen.update(now)


def _committed(consumer: Consumer, topic: str) -> dict[int, int]:
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    found = consumer.committed([TopicPartition(topic, number) for number in partitions], timeout=10)
    return {one.partition: one.offset for one in found if one.offset >= 0}
