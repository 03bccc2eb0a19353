"""What is counted when writing fails: each count is compared with one that the failing store itself made."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from signal_pipeline.broker.admin import apply_topics
from tests.checker import Outcome
from tests.support.metrics import metric, page, topic_end
from tests.support.metrics_run import samples, settle, total
from tests.support.pipeline import Pipeline
from tests.support.sender import Sender, event

_FAILURES = 3
_SMALL_TOPIC_BYTES = 4096
_LARGE_HEX_BYTES = 20_000
# A sequence counts what a rolled-back transaction did, too: how often the insert was refused.
_REFUSE = f"""
CREATE SEQUENCE refused_process;
CREATE SEQUENCE refused_detect;
CREATE FUNCTION refuse_some() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    refused regclass := CASE current_setting('application_name')
        WHEN 'process-signal' THEN 'refused_process' ELSE 'refused_detect' END;
BEGIN
    IF NEW.source LIKE 'test-%' AND nextval(refused) <= {_FAILURES} THEN
        RAISE EXCEPTION 'made by a test' USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse_some BEFORE INSERT ON signals FOR EACH ROW EXECUTE FUNCTION refuse_some();
"""
_ALLOW = """
DROP TRIGGER IF EXISTS refuse_some ON signals;
DROP FUNCTION IF EXISTS refuse_some;
DROP SEQUENCE IF EXISTS refused_process, refused_detect;
"""
_ASKED = "SELECT (SELECT last_value FROM refused_process), (SELECT last_value FROM refused_detect)"


async def test_failed_writes_are_as_many_as_postgresql_refused(pipeline: Pipeline, sender: Sender) -> None:
    """Each of three serialization failures of either role counts once, its events are tried again, and none is lost."""
    settle(pipeline)
    roles = {"process-signal": "db_write_failures_total", "detect-anomaly": "outbox_write_failures_total"}
    before = {role: samples(page(pipeline.settings.metrics_port(role))) for role in roles}
    anomalous = [event(sender.source, data={"data": "sample_data_99"}) for _ in range(4)]
    with _refusing(pipeline) as connection:
        await sender.post_all([anomalous])
        report = await asyncio.to_thread(pipeline.check, sender.sent())
        assert report.sound, str(report)
        asked = connection.execute(_ASKED).fetchone()
    assert asked is not None
    assert min(asked) > _FAILURES  # both were refused as often as they could be
    for role, name in roles.items():
        after = samples(page(pipeline.settings.metrics_port(role)))
        assert total(after, name) - total(before[role], name) == _FAILURES, role
        retries = 'trigger_retries_total{failure_class="contention"}'
        assert _FAILURES <= after[retries] - before[role][retries] <= _FAILURES * len(anomalous), role


async def test_what_kafka_refused_is_counted_as_a_produce_error(pipeline: Pipeline, sender: Sender) -> None:
    """An event that the topic does not take is an error and no product; what it takes is a product and no error."""
    settle(pipeline)
    port, end = pipeline.settings.metrics_port("emit"), topic_end(pipeline.settings, "signal-events")
    before = {name: metric(page(port), name) for name in ("signals_produced_total", "produce_errors_total")}
    with _small_topic(pipeline):
        for _ in range(100):  # until the broker has taken its new setting over
            large = event(sender.source, data={"data": os.urandom(_LARGE_HEX_BYTES // 2).hex()})
            if not await sender.post_batch([large]):
                break
        assert await sender.post_batch([event(sender.source)])
    grown = {name: metric(page(port), name) - value for name, value in before.items()}
    told = [each.outcome for each in sender.sent()]
    assert grown["produce_errors_total"] == told.count(Outcome.FAIL) == 1
    assert grown["signals_produced_total"] == told.count(Outcome.OK)
    assert grown["signals_produced_total"] == topic_end(pipeline.settings, "signal-events") - end
    report = await asyncio.to_thread(pipeline.check, sender.sent())
    assert report.sound, str(report)


@contextmanager
def _refusing(pipeline: Pipeline) -> Iterator[psycopg.Connection]:
    with psycopg.connect(pipeline.database_url, autocommit=True) as connection:
        connection.execute(_ALLOW)  # what a killed run has left
        connection.execute(_REFUSE)
        try:
            yield connection
        finally:
            connection.execute(_ALLOW)


@contextmanager
def _small_topic(pipeline: Pipeline) -> Iterator[None]:
    change = ConfigEntry("max.message.bytes", str(_SMALL_TOPIC_BYTES), incremental_operation=AlterConfigOpType.SET)
    topic = ConfigResource(ResourceType.TOPIC, "signal-events", incremental_configs=[change])
    admin = AdminClient(pipeline.broker)
    admin.incremental_alter_configs([topic])[topic].result(timeout=10)
    try:
        yield
    finally:
        assert apply_topics(pipeline.settings).altered == ("signal-events",)
