"""`signal-pipeline dlq`, as an operator types it, in the running pipeline."""

import json
import os
import signal
import subprocess
import sys
import uuid
from typing import Any

from signal_pipeline.domain.failures import FailureClass
from tests.e2e.test_recovery import row, status
from tests.support.dead_letters import dead_letter, write_dead_letters
from tests.support.pipeline import ROOT, Pipeline
from tests.support.sender import binary_record, event
from tests.support.waiting import wait_for


def dlq(pipeline: Pipeline, *words: str) -> str:
    """Run a command that succeeds and return what it prints."""
    done = pipeline.run("-m", "signal_pipeline", "dlq", *words, seconds=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def answer(pipeline: Pipeline, *words: str) -> Any:
    """Run a command that succeeds and return its answer as a program gets it."""
    return json.loads(dlq(pipeline, *words, "--json"))


def given_up(pipeline: Pipeline, count: int) -> tuple[str, list[str]]:
    """Put healthy events into quarantine; return the code they have alone, and their ids."""
    code = f"test-{uuid.uuid4()}"[:20]
    events = [event("commands") for _ in range(count)]
    write_dead_letters(pipeline, *(dead_letter(binary_record(each), FailureClass.REJECTED, code) for each in events))
    wait_for(lambda: all(status(pipeline, each["id"]) for each in events), seconds=10, what="the recording")
    return code, [each["id"] for each in events]


def test_an_operator_brings_events_back(pipeline: Pipeline) -> None:
    """List, show, plan, replay: afterwards the events are rows, and the job says who wanted it and why."""
    code, ids = given_up(pipeline, 3)
    assert all(each in dlq(pipeline, "ls", f"code={code}") for each in ids)
    dlq_ids = [each["dlq_id"] for each in answer(pipeline, "ls", f"code={code}")["dead_letters"]]
    assert "made by a test" in dlq(pipeline, "show", dlq_ids[0])
    assert "dlq replay" in dlq(pipeline, "plan", f"code={code}")
    plan = answer(pipeline, "plan", f"ids={','.join(dlq_ids)}")
    assert plan["counts"] == {"rejected": 3}
    job = answer(pipeline, "replay", plan["plan"], "--reason", "the cause is repaired")
    assert (job["status"], job["replayed"], job["requested_by"]) == ("completed", 3, "admin")
    wait_for(lambda: all(row(pipeline, "signals", "id", each) for each in ids), seconds=10, what="the rows")
    assert job["job_id"] in dlq(pipeline, "jobs")
    assert "the cause is repaired" in dlq(pipeline, "jobs", job["job_id"])


def test_leaving_a_replay_does_not_stop_it(pipeline: Pipeline) -> None:
    """Ctrl-C ends the watching and not the job, and tells how to find it again."""
    code, _ = given_up(pipeline, 2)
    plan = answer(pipeline, "plan", f"code={code}")["plan"]
    pipeline.local("stop", "replay-dlq-trigger")  # no tick, no step: the job stays where it is
    try:
        command = [sys.executable, "-m", "signal_pipeline", "dlq", "replay", plan]
        environment = {**os.environ, **pipeline.variables}
        with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as watching:
            assert watching.stderr is not None
            assert "is ordered" in watching.stderr.readline()
            watching.send_signal(signal.SIGINT)
            told = watching.communicate(timeout=30)[1]
        (job,) = _active(pipeline)
        assert (watching.returncode, job["status"]) == (130, "running"), told
        assert f"dlq jobs {job['job_id']}" in told
        assert "paused" in dlq(pipeline, "jobs", "pause")
        assert "cancelled" in dlq(pipeline, "jobs", "cancel")
    finally:
        pipeline.local("start", "replay-dlq-trigger")


def test_mistakes_are_told_with_the_next_step(pipeline: Pipeline) -> None:
    """What is wrong, and what to do, stands in one line on standard error; the command fails."""
    for words, told in (
        (("ls", "class=none"), "class is one of"),
        (("ls", "offset_from=1"), "partition"),
        (("show", "x"), "dlq ls"),
        (("replay", "x"), "dry run"),
        (("jobs", str(uuid.uuid4())), "no such job"),
    ):
        done = pipeline.run("-m", "signal_pipeline", "dlq", *words, seconds=60)
        assert (done.returncode, done.stdout) == (1, "")
        assert told in done.stderr
        assert len(done.stderr.splitlines()) == 1


def _active(pipeline: Pipeline) -> list[Any]:
    return [job for job in answer(pipeline, "jobs")["jobs"] if job["status"] in {"running", "paused"}]
