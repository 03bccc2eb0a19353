"""A pipeline at rest: real Kafka and PostgreSQL with signals, anomalies, outbox rows and events that all agree."""

import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import structlog
from click.testing import Result
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from pydantic import SecretStr
from typer.testing import CliRunner

from signal_pipeline.broker.admin import apply_topics
from signal_pipeline.broker.producer import KafkaProducer
from signal_pipeline.cli import app
from signal_pipeline.domain.anomalies import anomalies_of
from signal_pipeline.domain.dead_letters import DeadLetterMetadata, metadata_headers
from signal_pipeline.domain.failures import Failure, FailureClass
from signal_pipeline.domain.signals import Signal, signal_of
from signal_pipeline.events.envelope import CloudEvent
from signal_pipeline.events.kafka import KafkaRecord, OutgoingRecord, encode_record, instant_text
from signal_pipeline.settings import load_settings
from signal_pipeline.store.anomalies import Detection, store_anomalies
from signal_pipeline.store.pool import Pool
from signal_pipeline.store.signals import store_signals
from signal_pipeline.topology import ANOMALY_EVENTS, DEAD_LETTERS, SIGNAL_EVENTS, TOPICS
from tests.integration.kafka_fixture import KafkaBroker
from tests.support.commands import Access
from tests.support.dead_letters import failure_metadata

Run = Callable[..., list[tuple[Any, ...]]]
PASSWORD = "correct horse battery staple"

_READERS = {
    "process-signal": SIGNAL_EVENTS,
    "detect-anomaly": SIGNAL_EVENTS,
    "replay-dlq": DEAD_LETTERS,
    "confirm-outbox": ANOMALY_EVENTS,
}
_SECONDS = 20.0


def event(number: int, *, source: str = "web", event_id: UUID | None = None) -> CloudEvent:
    """Return a signal; every tenth breaks the rule high_data_value and no other."""
    payload = {"session_id": "sess_12345", "data": f"sample_data_{99 if number % 10 == 0 else 50}"}
    return CloudEvent(
        id=str(event_id or uuid4()),
        source=source,
        type="click",
        subject=f"user_{number}",
        time=datetime.now(UTC),
        datacontenttype="application/json",
        data=payload,
        data_json=f'{{"session_id":"{payload["session_id"]}","data":"{payload["data"]}"}}'.encode(),
    )


class World:
    """The parts of a pipeline as its roles would have left them.

    Attributes:
        settings: Settings that lead to this broker and this database.
        kafka: The broker.
    """

    def __init__(self, kafka: KafkaBroker, database_url: str) -> None:
        self.kafka = kafka
        self.settings = kafka.settings.model_copy(update={"database_url": SecretStr(database_url)})
        self._url = database_url
        self._producer = KafkaProducer(self.settings)
        self._pool = Pool(database_url, application_name="test", size=2)

    async def close(self) -> None:
        """Close the clients."""
        await self._producer.close()
        await self._pool.close()

    def run(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run a statement by hand and return its rows."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []

    def forget(self) -> None:
        """Empty the topics and the tables; what was there is processed by everybody."""
        apply_topics(self.settings)
        admin = self.kafka.admin()
        for topic in TOPICS:
            for future in admin.delete_records(self._ends(topic.name)).values():
                future.result(timeout=_SECONDS)
        for group in _READERS:
            self.commit(group)
        self.run(
            "TRUNCATE signals, superseded_signals, anomalies, outbox_events, dead_letters, debezium_heartbeat, "
            "purge_marks, audit_runs"
        )

    def commit(self, group: str) -> None:
        """Commit for a group everything that its topic holds."""
        admin = self.kafka.admin()
        request = [ConsumerGroupTopicPartitions(group, self._ends(_READERS[group].name))]
        for future in admin.alter_consumer_group_offsets(request).values():
            future.result(timeout=_SECONDS)

    def _ends(self, topic: str) -> list[TopicPartition]:
        """Return the end of each partition; a topic that was just made may have no leader for a moment."""
        deadline = time.monotonic() + _SECONDS
        while True:
            try:
                return [TopicPartition(topic, number, end) for number, end in self.kafka.ends(topic).items()]
            except KafkaException:
                assert time.monotonic() < deadline, f"{topic} has no leaders"

    async def produce(self, records: Sequence[OutgoingRecord]) -> None:
        """Produce records; every one is acknowledged."""
        assert await self._producer.produce(records) == [None] * len(records)

    async def accept(self, events: Sequence[CloudEvent]) -> list[Signal]:
        """Publish events as emit does, and let both groups pass them; return the signals that they are."""
        await self.produce([encode_record(each, topic=SIGNAL_EVENTS.name) for each in events])
        self.commit("process-signal")
        self.commit("detect-anomaly")
        decided = [signal_of(each, accepted_at=datetime.now(UTC)) for each in events]
        return [each for each in decided if not isinstance(each, Failure)]

    async def process(self, signals: Sequence[Signal]) -> None:
        """Store signals as the roles do, and publish the outbox as Debezium does."""
        await self.store(signals)
        await self.publish([row[0] for row in self.run("SELECT id FROM outbox_events")])

    async def store(self, signals: Sequence[Signal]) -> None:
        """Store signals with their anomalies and outbox rows, as the roles do."""
        await store_signals(self._pool, signals)
        detections = [Detection(signal=each, anomalies=found) for each in signals if (found := anomalies_of(each))]
        await store_anomalies(self._pool, detections)

    async def publish(self, outbox_ids: Sequence[UUID], *, age: timedelta = timedelta()) -> None:
        """Publish events with these ids on anomaly-events, and let confirm-outbox pass them."""
        created_at = instant_text(datetime.now(UTC) - age).encode()
        headers = (("ce_specversion", b"1.0"), ("ce_type", b"anomaly_detected"), ("ce_time", created_at))
        await self.produce(
            [
                OutgoingRecord(
                    topic=ANOMALY_EVENTS.name,
                    key=str(each).encode(),
                    value=b"{}",
                    headers=(*headers, ("ce_id", str(each).encode())),
                )
                for each in outbox_ids
            ]
        )
        self.commit("confirm-outbox")

    async def dead_letter(self, record: KafkaRecord, *, topic: str) -> DeadLetterMetadata:
        """Put a record on a dead-letter topic as the trigger of process-signal does."""
        metadata = failure_metadata(
            FailureClass.INVALID,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            timestamp_ms=record.timestamp_ms,
            code="invalid_json",
            attempts=1,
        )
        headers = (*record.headers, *metadata_headers(metadata))
        await self.produce([OutgoingRecord(topic=topic, key=record.key, value=record.value, headers=headers)])
        return metadata


@pytest.fixture
async def world(kafka: KafkaBroker, database_url: str) -> AsyncIterator[World]:
    """A pipeline that has processed nothing yet."""
    opened = World(kafka, database_url)
    try:
        opened.forget()
        yield opened
    finally:
        await opened.close()


@pytest.fixture
def run(database_url: str) -> Run:
    """Run a statement by hand and return its rows."""

    def statement(text: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(database_url, autocommit=True) as connection:
            cursor = connection.execute(text.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []

    return statement


@pytest.fixture
def access(database_url: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Access]:
    """Run the command in an empty folder against empty tables."""
    run("TRUNCATE users, refresh_tokens, api_keys, access_events CASCADE")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("LOGNAME", "jane")

    def invoke(*words: str, stdin: str = PASSWORD + "\n") -> Result:
        load_settings.cache_clear()
        return CliRunner().invoke(app, ["access", *words], input=stdin)

    yield invoke
    load_settings.cache_clear()
    structlog.reset_defaults()  # the stream of a command is closed when it ends
