"""The examples do what their texts say, against the running pipeline."""

import uuid

import pytest

from tests.checker.model import Snapshot
from tests.checker.postgres import read_tables
from tests.support.pipeline import Pipeline
from tests.support.waiting import wait_for

_COUNT = 5


@pytest.mark.parametrize("mode", ["binary", "structured", "batch"])
def test_producer_sends_in_each_mode(pipeline: Pipeline, mode: str) -> None:
    """The producer's signals are accepted and stored, whatever the mode."""
    source = f"example-{uuid.uuid4()}"
    done = _produce(pipeline, source, "--mode", mode)
    assert done == f"{_COUNT} signals accepted\n"
    wait_for(lambda: len(_stored(pipeline, source).rows) == _COUNT, seconds=20, what="all rows")


def test_consumer_prints_each_anomaly_once(pipeline: Pipeline) -> None:
    """The consumer prints one line for each anomaly, and a second run of its group none: its offsets are committed."""
    source, group = f"example-{uuid.uuid4()}", f"example-{uuid.uuid4()}"
    _produce(pipeline, source, "--data", "sample_data_99", "--mode", "batch")
    stored = wait_for(lambda: _confirmed(pipeline, source), seconds=20, what="all anomaly events")
    wanted = {str(row.id) for row in stored.outbox}
    lines = _consume(pipeline, group)
    assert sorted(line.split()[0] for line in lines if line.split()[0] in wanted) == sorted(wanted)
    assert not wanted & {line.split()[0] for line in _consume(pipeline, group)}


def _produce(pipeline: Pipeline, source: str, *options: str) -> str:
    url = f"{pipeline.settings.function_url('emit')}/emit"
    done = pipeline.run(
        "examples/producer.py", "--url", url, "--source", source, "--count", str(_COUNT), *options, seconds=30
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _consume(pipeline: Pipeline, group: str) -> list[str]:
    options = ("--bootstrap-servers", pipeline.bootstrap, "--group", group, "--idle", "4")
    done = pipeline.run("examples/consumer.py", *options, seconds=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def _stored(pipeline: Pipeline, source: str) -> Snapshot:
    tables = read_tables(pipeline.database_url, sources=[source], ids=[], everything=False)
    return Snapshot(rows=tables.rows, anomalies=tables.anomalies, outbox=tables.outbox)


def _confirmed(pipeline: Pipeline, source: str) -> Snapshot | None:
    found = _stored(pipeline, source)
    complete = len(found.outbox) >= _COUNT and all(row.stamped for row in found.outbox)
    return found if complete else None
