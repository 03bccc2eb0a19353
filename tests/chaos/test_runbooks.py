"""The commands of the runbooks that change something: each repairs what it is for, and leaves the pipeline sound."""

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from functools import partial

import psycopg
import pytest

from signal_pipeline.domain.failures import FailureClass
from tests.chaos.slot import connector_states, drop_slot, order_connector
from tests.chaos.symptoms import say
from tests.support.dead_letters import dead_letter, write_dead_letters
from tests.support.pipeline import Pipeline
from tests.support.runbooks import repairs, run_as_written
from tests.support.sender import Sender, binary_record, event, events
from tests.support.waiting import wait_for

_HEALTH_SECONDS = 120
_START = re.compile(r"make((?: start-[a-z-]+)+)")
_REPLAY_REJECTED = re.compile(r".*dlq replay .*class=rejected.*")


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_every_repair_of_the_runbooks_works(pipeline: Pipeline, sender: Sender) -> None:
    """Each command succeeds on what it is for, broken on purpose; afterwards all is well and nothing is lost."""
    await sender.post_all([events(200, sender.source)])
    letters = await asyncio.to_thread(_into_quarantine, pipeline)
    await asyncio.to_thread(_run_all, pipeline)
    await asyncio.to_thread(wait_for, lambda: _healthy(pipeline), seconds=_HEALTH_SECONDS, what="health")
    assert connector_states(pipeline) == ["RUNNING", "RUNNING"]
    assert await asyncio.to_thread(_stored, pipeline, letters) == len(letters)
    await sender.post_all([events(200, sender.source)])
    report = await asyncio.to_thread(pipeline.check, sender.sent(), seconds=_HEALTH_SECONDS)
    assert report.sound, str(report)
    doctor = await asyncio.to_thread(pipeline.run, "-m", "signal_pipeline", "doctor")
    assert doctor.returncode == 0, doctor.stdout


def _run_all(pipeline: Pipeline) -> None:
    commands = repairs()
    broken = {command: harm for command in commands if (harm := _harm(command))}
    assert len(broken) >= 7  # the others are restarts, or change nothing where all is well
    for command in commands:
        wait_for(lambda: _healthy(pipeline), seconds=_HEALTH_SECONDS, what=f"health before {command}")
        broken.get(command, _no_harm)(pipeline)
        began = time.monotonic()
        ended = run_as_written(pipeline, command)
        assert ended.returncode == 0, f"{command}\n{ended.stdout}\n{ended.stderr}"
        say(f"{time.monotonic() - began:5.1f} s  {command[:110]}")


def _harm(command: str) -> Callable[[Pipeline], None] | None:
    """Return what must be broken for a command to have something to repair; None when there is no need."""
    if found := _START.fullmatch(command):
        return partial(_stop, services=tuple(word.removeprefix("start-") for word in found[1].split()))
    return _HARMS.get(command)


def _stop(pipeline: Pipeline, services: tuple[str, ...]) -> None:
    for service in services:
        pipeline.local("stop", service)


def _no_harm(pipeline: Pipeline) -> None:
    """Leave the pipeline as it is."""


_HARMS: Mapping[str, Callable[[Pipeline], None]] = {
    "make up": partial(_stop, services=("emit", "process-signal-trigger")),
    ".venv/bin/signal-pipeline outbox reconnect": drop_slot,
    "curl -fsS -X PUT 127.0.0.1:8083/connectors/outbox-connector/resume": partial(
        order_connector, what="pause", state="PAUSED"
    ),
}


def test_what_is_broken_is_what_a_repair_is_for() -> None:
    """No harm is left of a command that the runbooks no longer have."""
    assert _HARMS.keys() <= set(repairs())
    assert [command for command in repairs() if _REPLAY_REJECTED.fullmatch(command)]


def _healthy(pipeline: Pipeline) -> bool:
    return pipeline.run("-m", "local", "health").returncode == 0


def _into_quarantine(pipeline: Pipeline) -> list[str]:
    """Put healthy events into quarantine, which a replay of the rejected ones brings back, and return their ids."""
    lost = [event("runbooks") for _ in range(3)]
    write_dead_letters(pipeline, *(dead_letter(binary_record(each), FailureClass.REJECTED, "23514") for each in lost))
    ids = [each["id"] for each in lost]
    wait_for(lambda: _quarantined(pipeline, ids) == len(ids), seconds=30, what="the quarantine")
    return ids


def _quarantined(pipeline: Pipeline, ids: list[str]) -> int:
    statement = "SELECT count(*) FROM dead_letters WHERE event_id = ANY(%s) AND status = 'quarantined'"
    return _count(pipeline, statement, ids)


def _stored(pipeline: Pipeline, ids: list[str]) -> int:
    return _count(pipeline, "SELECT count(*) FROM signals WHERE id = ANY(%s::uuid[])", ids)


def _count(pipeline: Pipeline, statement: str, ids: list[str]) -> int:
    with psycopg.connect(pipeline.database_url) as connection:
        row = connection.execute(statement.encode(), [ids]).fetchone()
    return int(row[0]) if row else 0
