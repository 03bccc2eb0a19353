"""The stage on which the arms run: a private pipeline on ports and data of its own, removed afterwards."""

import os
import random
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from bench.report import Run
from local.layout import ROOT
from signal_pipeline.broker.config import client_config, producer_config
from signal_pipeline.commands.kafka_offsets import KafkaOffsets
from signal_pipeline.commands.load_events import sample_event
from signal_pipeline.events.kafka import encode_record
from signal_pipeline.settings import Settings
from signal_pipeline.topology import SIGNAL_EVENTS

__all__ = ["Stage", "StageFailed", "local", "opened_stage"]

_VARIABLES: Final = {"PORT_OFFSET": "19500", "STATE_DIR": ".local-bench", "LOG_LEVEL": "warning"}
_BESIDE: Final = 30  # between the ports of functions and those of components
_READY_SECONDS: Final = 30.0
_STANDSTILL_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.05  # a count costs the server some milliseconds, which both arms pay
_ADMIN_SECONDS: Final = 20.0


class StageFailed(RuntimeError):
    """The stage did not start, or an arm stood still."""


class Stage:
    """A running broker, database and function process-signal."""

    def __init__(self) -> None:
        self.settings = Settings(port_offset=int(_VARIABLES["PORT_OFFSET"]), state_dir=_VARIABLES["STATE_DIR"])
        self._offsets = KafkaOffsets(self.settings)
        self._admin = AdminClient({**client_config(self.settings), "log_level": 0})

    def fill(self, count: int) -> None:
        """Put a backlog of sample signals on signal-events, in front of an empty table."""
        self.empty()
        producer = Producer(
            {**producer_config(self.settings), "queue.buffering.max.messages": 1_000_000, "log_level": 0}
        )
        rng = random.Random(count)  # noqa: S311 - the same backlog for every arm
        for _ in range(count):
            record = encode_record(sample_event("bench", time.time_ns(), rng), topic=SIGNAL_EVENTS.name)
            producer.produce(record.topic, record.value, record.key, headers=list(record.headers))
            producer.poll(0)
        if producer.flush(_ADMIN_SECONDS):
            raise StageFailed("the broker did not take the backlog")

    def empty(self) -> None:
        """Empty the tables."""
        with psycopg.connect(self.settings.database_url.get_secret_value(), autocommit=True) as connection:
            connection.execute("TRUNCATE signals, superseded_signals, anomalies, outbox_events")
            connection.execute("CHECKPOINT")  # the writes of the last run are not paid by this one

    def skip(self, groups: Sequence[str]) -> None:
        """Let groups without a running member pass everything that is on signal-events."""
        ranges = self._offsets.ranges(SIGNAL_EVENTS.name)
        places = [TopicPartition(SIGNAL_EVENTS.name, number, span.end) for number, span in ranges.items()]
        for group in groups:
            for future in self._admin.alter_consumer_group_offsets(
                [ConsumerGroupTopicPartitions(group, places)]
            ).values():
                future.result(_ADMIN_SECONDS)

    def measure(self, count: int) -> Run:
        """Count committed rows until `count` are stored; `StageFailed` when nothing moves."""
        counts: list[tuple[float, int]] = []
        with psycopg.connect(self.settings.database_url.get_secret_value(), autocommit=True) as connection:
            counts.append((time.monotonic(), 0))
            while counts[-1][1] < count:
                time.sleep(_POLL_SECONDS)
                stored = _rows(connection)
                now = time.monotonic()
                if stored != counts[-1][1]:
                    counts.append((now, stored))
                elif now - counts[-1][0] > _STANDSTILL_SECONDS:
                    raise StageFailed(f"{count - stored:,} signals were not stored")
        (began, first_rows), (ended, _) = counts[1], counts[-1]
        if ended == began:
            raise StageFailed("everything was stored between two counts: the backlog is too small to measure")
        return Run(signals=count, seconds=ended - began, first_rows=first_rows)

    @contextmanager
    def process(self, *arguments: str, **variables: str) -> Iterator[None]:
        """Run a Python process of the benchmark, with settings of its own, while the block runs."""
        running = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env={**environment(), **variables})
        try:
            yield
        finally:
            running.terminate()
            running.wait()

    @contextmanager
    def function_without_coalescing(self) -> Iterator[str]:
        """Run a second function process-signal that gives each request a write of its own; lend its address."""
        beside = Settings(port_offset=self.settings.port_offset + _BESIDE, state_dir=_VARIABLES["STATE_DIR"])
        url = beside.function_url("process-signal")
        database_url = self.settings.database_url.get_secret_value()
        own = {"PORT_OFFSET": str(beside.port_offset), "DATABASE_URL": database_url, "COALESCE_REQUESTS": "False"}
        with self.process("-m", "signal_pipeline", "serve", "process-signal", **own):
            _wait_until_ready(url)
            yield url


@contextmanager
def opened_stage() -> Iterator[Stage]:
    """Start a stage from nothing; stop it and delete its data afterwards."""
    local("clean")
    try:
        local("up", "--only", "migrate,topics,process-signal")
        yield Stage()
    finally:
        local("clean")


def local(*arguments: str) -> None:
    """Run a command of the local run on the stage; `StageFailed` with its words when it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "local", *arguments],
        check=False,
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise StageFailed(f"local {' '.join(arguments)}: {done.stdout}{done.stderr}")


def environment() -> dict[str, str]:
    """Return the environment of the stage's processes."""
    return {**os.environ, **_VARIABLES}


def _wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        try:
            urllib.request.urlopen(f"{url}/ready", timeout=_READY_SECONDS).close()  # noqa: S310 - our own
        except OSError as exc:
            if time.monotonic() > deadline:
                raise StageFailed(f"{url} does not become ready") from exc
            time.sleep(_POLL_SECONDS)
        else:
            return


def _rows(connection: psycopg.Connection[tuple[Any, ...]]) -> int:
    row = connection.execute("SELECT count(*) FROM signals").fetchone()
    return int(row[0]) if row else 0
