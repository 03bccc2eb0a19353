"""The record of audits, and what the metrics page of replay-dlq shows of it, on real Kafka and PostgreSQL."""

import asyncio
import math
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry

from signal_pipeline.commands.verify import run_verify
from signal_pipeline.commands.verify_figures import Verdict
from signal_pipeline.errors import DependencyUnavailable
from signal_pipeline.events.kafka import encode_record
from signal_pipeline.roles.replay_dlq import ReplayDlq
from signal_pipeline.serving.app import FunctionApp
from signal_pipeline.serving.metrics_page import MetricsPage
from signal_pipeline.store.audit_runs import AuditRun, last_audit_run
from signal_pipeline.store.pool import Pool
from signal_pipeline.topology import SIGNAL_EVENTS
from tests.integration.commands.conftest import World, event
from tests.support.asgi import call

COUNT = 20
KEPT = 1000
METRICS = ("audit_last_run_timestamp_seconds", "audit_last_run_ok", "audit_missing_events", "audit_events")


async def last_run(world: World) -> AuditRun | None:
    """Return the newest audit in the table."""
    pool = Pool(world.settings.database_url.get_secret_value(), application_name="test", size=1)
    try:
        return await last_audit_run(pool)
    finally:
        await pool.close()


async def lose_one(world: World) -> None:
    """Let the pipeline process events, and take the row of one away."""
    signals = await world.accept([event(number) for number in range(1, COUNT + 1)])
    await world.process(signals)
    world.run("DELETE FROM signals WHERE id = %s", signals[0].id)


async def produced(world: World) -> None:
    """Publish events that nobody processes."""
    await world.produce([encode_record(event(number), topic=SIGNAL_EVENTS.name) for number in range(COUNT)])


async def shown(world: World) -> list[float | None]:
    """Return the metrics of the last audit as replay-dlq shows them after a tick."""
    registry = CollectorRegistry()
    function = ReplayDlq(world.settings, registry)
    app = FunctionApp(function, MetricsPage(registry, address="127.0.0.1", port=0))
    await function.open()
    try:
        assert (await call(app, "POST", "/tick", [], b"")).status == 200
    finally:
        await function.close()
    return [registry.get_sample_value(name) for name in METRICS]


async def test_an_audit_is_recorded(world: World) -> None:
    """A run that found everything in order is remembered with its time and its counts."""
    await world.process(await world.accept([event(number) for number in range(COUNT)]))
    began = datetime.now(UTC)
    assert await asyncio.to_thread(run_verify, world.settings) is Verdict.PASSED
    run = await last_run(world)
    assert run is not None
    assert (run.audited, run.missing, run.violations, run.ok) == (COUNT, 0, {}, True)
    assert began - timedelta(seconds=1) <= run.started_at < run.finished_at <= datetime.now(UTC)


async def test_a_failed_audit_is_recorded_with_its_breaches(world: World) -> None:
    """A run that found something missing is remembered by kind of breach, after those that passed."""
    assert await asyncio.to_thread(run_verify, world.settings) is Verdict.PASSED
    await lose_one(world)
    assert await asyncio.to_thread(run_verify, world.settings) is Verdict.FAILED
    run = await last_run(world)
    assert run is not None
    assert (run.audited, run.missing, run.violations, run.ok) == (COUNT, 1, {"missing_events": 1}, False)


async def test_an_audit_of_nothing_is_not_recorded_as_good(world: World) -> None:
    """With events that no group has processed the record and the metric say that the audit did not pass."""
    await produced(world)
    assert await asyncio.to_thread(run_verify, world.settings) is Verdict.NOTHING_AUDITED
    run = await last_run(world)
    assert run is not None
    assert (run.audited, run.missing, run.violations, run.ok) == (0, 0, {"nothing_audited": COUNT}, False)
    assert (await shown(world))[1:] == [0, 0, 0]


async def test_an_audit_that_could_not_ask_is_not_recorded(world: World) -> None:
    """Kafka does not answer: nothing is known, so the last record stays what it was."""
    unreachable = world.settings.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:9"})
    with pytest.raises(DependencyUnavailable):
        await asyncio.to_thread(run_verify, unreachable)
    assert await last_run(world) is None


async def test_the_newest_audits_are_kept(world: World) -> None:
    """Of more than a thousand runs the oldest are forgotten."""
    world.run("SELECT record_audit_run('1 second', n, 0, '{}') FROM generate_series(1, %s) AS n", KEPT + 5)
    assert world.run("SELECT count(*), min(audited), max(audited) FROM audit_runs") == [(KEPT, 6, KEPT + 5)]


async def test_before_the_first_audit_the_metrics_are_not_a_number(world: World) -> None:
    """No audit is neither a good one nor a bad one: an alert on either stays silent."""
    assert all(value is not None and math.isnan(value) for value in await shown(world))


async def test_the_metrics_show_the_last_audit(world: World) -> None:
    """A tick shows when the last audit ended, its verdict, and what it counted."""
    await lose_one(world)
    assert await asyncio.to_thread(run_verify, world.settings) is Verdict.FAILED
    run = await last_run(world)
    assert run is not None
    assert await shown(world) == [run.finished_at.timestamp(), 0, 1, COUNT]
    world.run("SELECT record_audit_run('1 second', 7, 0, '{}')")
    assert (await shown(world))[1:] == [1, 0, 7]
