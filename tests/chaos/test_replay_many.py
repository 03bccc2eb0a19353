"""The replay of 10,000 dead letters beside live traffic, killed three times, and done twice."""

import asyncio
import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any, Final, Self

import psycopg
import pytest

from signal_pipeline.commands.percentiles import percentile
from signal_pipeline.domain.failures import FailureClass
from tests.chaos.faults import wait_until_back
from tests.checker import Sent, check
from tests.checker.model import RawRecord
from tests.support.dead_letters import dead_letter, knative_letter
from tests.support.metrics import real_lag
from tests.support.pipeline import Pipeline, own_pipeline
from tests.support.replay import ask_replay, order_replay, replay_token
from tests.support.sender import Sender, binary_record, events
from tests.support.waiting import wait_for

_LETTERS: Final = 10_000
_POISON: Final = 50
_KILLS: Final = 3
_BATCH, _INTERVAL_SECONDS = 40, 0.1  # 400 live events a second
_ALONE_SECONDS = 10
_NEVER: Final = "1000000000"  # seconds: with jitter, one in millions of dead letters comes due in an hour
_PATIENCE_SECONDS = 300
_GROUPS: Final = (
    ("process-signal", "signal-events"),
    ("detect-anomaly", "signal-events"),
    ("replay-dlq", "signal-events-dlq"),
    ("confirm-outbox", "anomaly-events"),
)
_STATE: Final = {
    "signals": "SELECT id, user_id, source, type, event_ts, payload, extensions FROM signals ORDER BY id",
    "anomalies": "SELECT id, user_id, anomaly_type, severity, signal_event_id FROM anomalies ORDER BY id",
    "outbox": "SELECT id, aggregateid, payload, processed_at IS NOT NULL FROM outbox_events ORDER BY id",
    "replaced": "SELECT signal_id, event_ts FROM superseded_signals ORDER BY signal_id, event_ts",
    "dead letters": "SELECT dlq_id, status, failure_class, disposition FROM dead_letters ORDER BY dlq_id",
}


class Live:
    """Open-loop traffic: requests go when they are due, whatever became of the ones before; each is timed."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.seconds: list[float] = []

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ending.set()
        assert self._task is not None
        await self._task

    async def _run(self) -> None:
        due = time.monotonic()
        async with asyncio.TaskGroup() as group:
            while not self._ending.is_set():
                group.create_task(self._post(due))
                due += _INTERVAL_SECONDS
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._ending.wait(), max(due - time.monotonic(), 0))

    async def _post(self, due: float) -> None:
        assert await self._sender.post_batch(events(_BATCH, self._sender.source))
        self.seconds.append(time.monotonic() - due)


@pytest.fixture
def own() -> Iterator[Pipeline]:
    """A pipeline in which nothing is replayed by itself, and no other dead letter lies."""
    running = own_pipeline("replay", SIGNALS_PER_SECOND="0", REPLAY_DELAYS_SECONDS=_NEVER)
    try:
        running.local("up")
        yield running
    finally:
        running.local("clean")


def rows(pipeline: Pipeline, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Return what a query gives."""
    with psycopg.connect(pipeline.database_url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode(), parameters)
        return cursor.fetchall() if cursor.description else []


def is_through(pipeline: Pipeline, group: str, topic: str) -> bool:
    """Tell whether a group has nothing left to read."""
    return real_lag(pipeline.settings, group, topic) == 0


def state(pipeline: Pipeline) -> dict[str, list[tuple[Any, ...]]]:
    """Return everything that a replay may touch, once nothing is under way any more."""
    for group, topic in _GROUPS:
        wait_for(
            partial(is_through, pipeline, group, topic),
            seconds=_PATIENCE_SECONDS,
            what=f"the end of the lag of {group}",
        )
    pending = "SELECT 1 FROM outbox_events WHERE processed_at IS NULL LIMIT 1"
    wait_for(lambda: not rows(pipeline, pending), seconds=_PATIENCE_SECONDS, what="the last stamp")
    return {name: rows(pipeline, statement) for name, statement in _STATE.items()}


def lay_dead_letters(pipeline: Pipeline, sender: Sender, moments: random.Random) -> set[str]:
    """Write dead letters of every form, and poison to the live topic; return the ids of the healthy ones."""
    given_up = events(_LETTERS, sender.source)
    classes = (FailureClass.REJECTED, FailureClass.UNEXPECTED, FailureClass.DEPENDENCY)
    letters = [
        knative_letter(binary_record(each), moments.choice(("503", "422", "500")))
        if number % 20 == 0
        else dead_letter(binary_record(each, key=each["subject"].encode()), moments.choice(classes), "test")
        for number, each in enumerate(given_up)
    ]
    sender.produce("signal-events", [(RawRecord(key=None, value=b"poison %d" % n), None) for n in range(_POISON)])
    sender.produce("signal-events-dlq", list(zip(letters, given_up, strict=True)))
    recorded = "SELECT count(*) FROM dead_letters"
    wait_for(
        lambda: rows(pipeline, recorded) == [(_LETTERS + _POISON,)], seconds=_PATIENCE_SECONDS, what="the recording"
    )
    return {each["id"] for each in given_up}


def progress(pipeline: Pipeline, job: str) -> tuple[str, int]:
    """Return status and replayed letters of a job."""
    ((status, replayed),) = rows(pipeline, "SELECT status, replayed FROM replay_jobs WHERE job_id = %s", job)
    return str(status), int(replayed)


def kill_in_the_middle(pipeline: Pipeline, job: str, moments: random.Random) -> None:
    """Kill replay-dlq three times while its job moves; each time it goes on by itself."""
    for point in sorted(moments.randrange(500, _LETTERS - 1500) for _ in range(_KILLS)):
        before = progress(pipeline, job)[1]
        wait_for(
            lambda point=point, before=before: progress(pipeline, job)[1] > max(point, before),
            seconds=_PATIENCE_SECONDS,
            what=f"{point} replayed letters",
        )
        pid = pipeline.pids()["replay-dlq"]
        os.kill(pid, signal.SIGKILL)
        status, replayed = progress(pipeline, job)
        assert (status, replayed < _LETTERS) == ("running", True), "the kill came after the end"
        wait_until_back(pipeline, "replay-dlq", pid)


def wait_for_job(pipeline: Pipeline, job: str) -> dict[str, Any]:
    """Return the job when it is completed."""
    wait_for(lambda: progress(pipeline, job)[0] == "completed", seconds=_PATIENCE_SECONDS, what="the end of the job")
    found: dict[str, Any] = ask_replay(pipeline, f"/jobs/{job}", token=replay_token(pipeline))
    return found


def faults(pipeline: Pipeline, sent: tuple[Sent, ...], given_up: set[str]) -> list[str]:
    """Return what the checker has against it, but for the dead letters that the test itself made of healthy events."""
    report = check(pipeline.database_url, pipeline.bootstrap, sent, stamped=True, recorded=True)
    assert report.checked("I1") > _LETTERS
    return [str(each) for each in report.findings if not (each.invariant == "I9" and each.subject in given_up)]


def figures(pipeline: Pipeline, what: str, live: Live, since: float, until: float) -> float:
    """Print how long live traffic took, and return the 99th percentile from an event to its row, in seconds."""
    stored = rows(
        pipeline,
        "SELECT extract(epoch FROM ingest_ts - event_ts)::float8 FROM signals"
        " WHERE ingest_ts BETWEEN to_timestamp(%s) AND to_timestamp(%s) AND NOT EXISTS"
        " (SELECT FROM dead_letters AS d WHERE d.signal_id = signals.id)",
        since,
        until,
    )
    waits = [row[0] for row in stored]
    both = {"emit": live.seconds, "stored": waits}
    shown = [f"{name} p50 {at(values, 0.5):.3f} s, p99 {at(values, 0.99):.3f} s" for name, values in both.items()]
    print(f"{what}: {len(waits)} live events; {'; '.join(shown)}")  # noqa: T201  pytest shows it with -s
    return at(waits, 0.99)


def at(values: list[float], share: float) -> float:
    """Return a percentile of values of which there are some."""
    found = percentile(values, share)
    assert found is not None
    return found


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_many_dead_letters_come_back_once(own: Pipeline, tmp_path: Any) -> None:
    """Killed three times or replayed a second time, 10,000 dead letters end in the same rows; live traffic goes on."""
    seed = random.randrange(2**32)  # noqa: S311  to repeat a run, not a secret
    print(f"seed {seed}")  # noqa: T201
    moments = random.Random(seed)  # noqa: S311
    async with Sender(own.settings, tmp_path / "ledger.jsonl") as sender:
        started = time.monotonic()
        given_up = await asyncio.to_thread(lay_dead_letters, own, sender, moments)
        print(f"recorded in {time.monotonic() - started:.1f} s")  # noqa: T201
        begun = time.time()
        async with Live(sender) as alone:
            await asyncio.sleep(_ALONE_SECONDS)  # the length of a measurement, not a wait for something
        figures(own, "alone", alone, begun, time.time())

        begun = time.time()
        async with Live(sender) as beside:
            plan, job = await asyncio.to_thread(order_replay, own, filter={}, limit=100_000)
            assert plan["count"] == _LETTERS + _POISON
            await asyncio.to_thread(kill_in_the_middle, own, job, moments)
            done = await asyncio.to_thread(wait_for_job, own, job)
        print(f"{done['replayed']} replayed in {time.time() - begun:.1f} s, killed {_KILLS} times")  # noqa: T201
        behind = figures(own, "beside", beside, begun, time.time())
        assert (done["replayed"], done["skipped"]) == (_LETTERS + _POISON, 0)
        first = await asyncio.to_thread(state, own)
        assert await asyncio.to_thread(faults, own, sender.sent(), given_up) == []
        assert {str(row[0]) for row in first["signals"]} >= given_up

        # A table of dead letters that a backup brought back knows nothing of the first replay.
        rows(own, "UPDATE dead_letters SET status = 'quarantined', next_attempt_at = NULL WHERE status = 'replayed'")
        begun = time.time()
        plan, job = await asyncio.to_thread(order_replay, own, filter={}, limit=100_000)
        done = await asyncio.to_thread(wait_for_job, own, job)
        print(f"{done['replayed']} replayed again in {time.time() - begun:.1f} s")  # noqa: T201
        assert done["replayed"] == _LETTERS + _POISON
        assert await asyncio.to_thread(state, own) == first
        assert await asyncio.to_thread(faults, own, sender.sent(), given_up) == []
        assert behind < 5  # seconds; a machine that does other work besides is no measure of more
