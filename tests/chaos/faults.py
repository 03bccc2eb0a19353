"""The faults, as a table: what is hit, how, and how often."""

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from tests.support.pipeline import Pipeline
from tests.support.waiting import wait_for

__all__ = ["FAULTS", "Fault", "wait_until_back"]

_BACK_SECONDS = 90
_FUNCTIONS = ("process-signal", "detect-anomaly", "confirm-outbox", "replay-dlq")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One cell of the fault matrix.

    Attributes:
        cell: Its name.
        service: The service that is hit.
        inflict: Hits it once, and returns when it is hit.
        times: How often.
        ends_process: Whether a new process must serve afterwards.
        short: Whether it belongs to the subset that every test run has.
    """

    cell: str
    service: str
    inflict: Callable[[Pipeline, str], None]
    times: int = 1
    ends_process: bool = True
    short: bool = False


def wait_until_back(pipeline: Pipeline, service: str, before: int) -> None:
    """Wait until the supervisor has started the service anew and all components serve."""
    wait_for(lambda: pipeline.pids()[service] != before, seconds=_BACK_SECONDS, what=f"a new process of {service}")
    pipeline.local("health", "--wait", str(_BACK_SECONDS))


def _kill(pipeline: Pipeline, service: str) -> None:
    os.kill(pipeline.pids()[service], signal.SIGKILL)


def _terminate(pipeline: Pipeline, service: str) -> None:
    os.kill(pipeline.pids()[service], signal.SIGTERM)


def _freeze(pipeline: Pipeline, service: str) -> None:
    """Suspend a process for longer than its clients' patience with one request, then let it go on."""
    pid = pipeline.pids()[service]
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(5)  # the length of the fault, not a wait for something
    finally:
        os.kill(pid, signal.SIGCONT)


def _cut_connections(pipeline: Pipeline, _: str) -> None:
    """End every database connection of the functions, whatever it is doing; `AssertionError` when there is none."""
    statement = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = ANY(%s)"
    with psycopg.connect(pipeline.database_url) as connection:
        row = connection.execute(statement, [list(_FUNCTIONS)]).fetchone()
    assert row is not None
    assert row[0] > 0, "no connection was cut"
    time.sleep(random.uniform(0.5, 2))  # noqa: S311  between two cuts


FAULTS = (
    Fault(cell="FUN-1-process-signal-killed", service="process-signal", inflict=_kill, short=True),
    Fault(cell="TRG-1-trigger-killed", service="process-signal-trigger", inflict=_kill, short=True),
    Fault(cell="TRG-1-trigger-killed-again", service="process-signal-trigger", inflict=_kill, times=4),
    Fault(cell="PG-1-postgres-killed", service="postgres", inflict=_kill, short=True),
    Fault(cell="KAF-1-kafka-killed", service="kafka", inflict=_kill, short=True),
    Fault(cell="EMT-1-emit-killed", service="emit", inflict=_kill, times=3),
    Fault(cell="FUN-1-detect-anomaly-killed", service="detect-anomaly", inflict=_kill, times=3),
    Fault(cell="FUN-1-confirm-outbox-killed", service="confirm-outbox", inflict=_kill, times=3),
    Fault(cell="TRG-1-detect-trigger-killed", service="detect-anomaly-trigger", inflict=_kill, times=4),
    Fault(cell="TRG-3-trigger-terminated", service="process-signal-trigger", inflict=_terminate),
    Fault(cell="CDC-1-connect-killed", service="connect", inflict=_kill, times=2),
    Fault(cell="DLQ-1-replay-killed", service="replay-dlq", inflict=_kill, times=3),
    Fault(cell="TRG-2-trigger-frozen", service="process-signal-trigger", inflict=_freeze, ends_process=False),
    Fault(cell="KAF-2-kafka-frozen", service="kafka", inflict=_freeze, ends_process=False),
    Fault(cell="PG-2-connections-cut", service="postgres", inflict=_cut_connections, times=8, ends_process=False),
)
