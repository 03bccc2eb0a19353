"""A1: the pipeline starts from nothing and from the stopped state, and leaves no process and no data behind."""

import re
from collections.abc import Iterator

import psycopg
import pytest

from local.ports import is_free
from local.processes import identify
from signal_pipeline.topology import ROLES
from tests.support.pipeline import Pipeline, own_pipeline
from tests.support.waiting import wait_for

COMPONENTS = ["postgres", "kafka", "connect", "redis", "prometheus", "gateway"]
TASKS = ["migrate", "topics", "connector"]
FUNCTIONS = [role.name for role in ROLES]
TRIGGERS = [f"{role.name}-trigger" for role in ROLES if role.trigger_port]


@pytest.fixture(scope="module")
def fresh() -> Iterator[Pipeline]:
    """A pipeline of its own, of which nothing exists yet; the tests below go through its life in order."""
    own = own_pipeline("a1", SIGNALS_PER_SECOND="50")
    yield own
    own.local("clean")


def _states(pipeline: Pipeline) -> dict[str, str]:
    line = r"^(\S+) +(ready|done|starting|waiting|backoff|stopped)\b"
    return dict(re.findall(line, pipeline.local("status"), re.MULTILINE))


def _stored(pipeline: Pipeline) -> int:
    with psycopg.connect(pipeline.database_url) as connection:
        row = connection.execute("SELECT count(*) FROM signals").fetchone()
    assert row is not None
    return int(row[0])


def test_everything_starts_from_nothing_by_one_command(fresh: Pipeline) -> None:
    """`up` ends when each component, function and trigger is ready and each task is done, and all of them serve."""
    fresh.up()
    expected = dict.fromkeys(COMPONENTS + FUNCTIONS + TRIGGERS, "ready") | dict.fromkeys(TASKS, "done")
    assert {name: state for name, state in _states(fresh).items() if name in expected} == expected
    fresh.local("health")


def test_the_steady_emission_reaches_the_database(fresh: Pipeline) -> None:
    """Nothing more has to be started: signals arrive."""
    wait_for(lambda: _stored(fresh), seconds=60, what="the first stored signal")


def test_down_leaves_no_process_and_no_port(fresh: Pipeline) -> None:
    """After `down` every process that was recorded is gone, and another program could have any of the ports."""
    pids = fresh.pids()
    fresh.local("down")
    assert [name for name, pid in pids.items() if identify(pid)] == []
    settings = fresh.settings
    ports = [getattr(settings, name) for name in type(settings).model_fields if name.endswith("_port")]
    assert [port for port in ports if not is_free(port, "127.0.0.1")] == []


def test_it_starts_again_with_its_data(fresh: Pipeline) -> None:
    """From the stopped state everything becomes ready again, and what was stored is still there."""
    fresh.up()
    fresh.local("health")
    assert _stored(fresh) > 0


def test_clean_leaves_no_data(fresh: Pipeline) -> None:
    """`clean` stops what runs and removes the state folder."""
    pids = fresh.pids()
    fresh.local("clean")
    assert [name for name, pid in pids.items() if identify(pid)] == []
    assert not fresh.state.exists()
