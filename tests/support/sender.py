"""Sends events to emit and records to Kafka, and keeps a ledger of every attempt and its result."""

import asyncio
import json
import random
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from confluent_kafka import KafkaError, Message, Producer

from signal_pipeline.broker.config import client_config
from signal_pipeline.settings import Settings
from signal_pipeline.tls import client_context
from tests.checker import LedgerWriter, Outcome, Sent, load_ledger
from tests.checker.model import Position, RawRecord

__all__ = ["BATCH_HEADERS", "Sender", "binary_record", "event", "events"]

BATCH_HEADERS = {"Content-Type": "application/cloudevents-batch+json"}
_REQUEST_SECONDS = 30
_LARGEST_BYTES = 2 * 1024 * 1024  # the topic decides what is too large, not this client
_RETRY_SECONDS = 0.1


def event(source: str, **attributes: Any) -> dict[str, Any]:
    """Return a CloudEvent with a random sample as its data; attributes replace or add."""
    sample = {
        "session_id": f"sess_{random.randint(10_000, 99_999)}",  # noqa: S311  sample data
        "data": f"sample_data_{random.randint(1, 100)}",  # noqa: S311
    }
    return {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": source,
        "type": random.choice(("login", "purchase", "click", "api_call")),  # noqa: S311
        "subject": f"user_{random.randint(1, 1000)}",  # noqa: S311
        "time": datetime.now(UTC).isoformat(),
        "data": sample,
        **attributes,
    }


def events(count: int, source: str) -> list[dict[str, Any]]:
    """Return that many different events."""
    return [event(source) for _ in range(count)]


class Sender:
    """Sends to one pipeline; use as an asynchronous context manager.

    Attributes:
        source: A source that nothing else uses, so that the checker can tell what was never sent.

    Args:
        settings: Settings of the pipeline.
        ledger: File of the ledger.
    """

    def __init__(self, settings: Settings, ledger: Path) -> None:
        self.source = f"test-{uuid.uuid4()}"
        self._settings = settings
        self._ledger = LedgerWriter(ledger)
        self._url = f"{settings.function_url('emit')}/emit"
        self._key = {"X-API-Key": settings.emit_api_key.get_secret_value()}

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=_REQUEST_SECONDS)
        connector = aiohttp.TCPConnector(ssl=client_context(self._settings))
        self._session = aiohttp.ClientSession(connector=connector, headers=self._key, timeout=timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self._session.close()

    def sent(self) -> tuple[Sent, ...]:
        """Return the ledger so far."""
        return load_ledger(self._ledger.path)

    async def post_batch(self, batch: Sequence[Mapping[str, Any]]) -> bool:
        """Send events as one batch; tell whether all were accepted."""
        return await self.post(batch, BATCH_HEADERS, json.dumps(batch).encode())

    async def post(self, carried: Sequence[Mapping[str, Any]], headers: Mapping[str, str], body: bytes) -> bool:
        """Send a request that carries these events; tell whether all were accepted."""
        numbers = self._ledger.attempt_events(carried)
        outcomes = await self._outcomes(len(numbers), headers, body)
        self._ledger.results((number, outcome, None) for number, outcome in zip(numbers, outcomes, strict=True))
        return all(outcome is Outcome.OK for outcome in outcomes)

    async def post_all(self, batches: Iterable[Sequence[Mapping[str, Any]]]) -> None:
        """Send batches one after the other, each again until all its events are accepted."""
        for batch in batches:
            await self._post_until_accepted(batch)

    async def _post_until_accepted(self, batch: Sequence[Mapping[str, Any]]) -> None:
        # The far side gives nothing to wait for but its answers.
        while not await self.post_batch(batch):  # noqa: ASYNC110
            await asyncio.sleep(_RETRY_SECONDS)

    async def _outcomes(self, count: int, headers: Mapping[str, str], body: bytes) -> list[Outcome]:
        try:
            async with self._session.post(self._url, data=body, headers=headers) as answer:
                content = await answer.json(content_type=None)
        except aiohttp.ClientConnectorError:
            return [Outcome.FAIL] * count  # nothing was sent
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return [Outcome.UNKNOWN] * count
        if answer.status == 202:
            return [Outcome.OK] * count
        if answer.status != 207:
            return [_refusal(answer.status, content.get("code"))] * count
        refused = {each["index"]: _refusal(each["status"], each["code"]) for each in content["results"]}
        return [refused.get(index, Outcome.OK) for index in range(count)]

    def produce(self, topic: str, records: Sequence[tuple[RawRecord, Mapping[str, Any] | None]]) -> None:
        """Write records to Kafka directly.

        Args:
            topic: Where to.
            records: Each record with the event that it is; None makes it poison, which must become a dead letter.
        """
        producer = Producer({**client_config(self._settings), "acks": "all", "message.max.bytes": _LARGEST_BYTES})
        numbers = self._ledger.attempt_records(records)
        results: list[tuple[int, Outcome, Position | None]] = []
        for number, (record, _) in zip(numbers, records, strict=True):
            note = partial(_note, number, results)
            producer.produce(topic, record.value, record.key, headers=list(record.headers), on_delivery=note)
        assert producer.flush(_REQUEST_SECONDS) == 0, "the broker did not acknowledge in time"
        self._ledger.results(results)


def binary_record(carried: Mapping[str, Any], *, key: bytes | None = None) -> RawRecord:
    """Return an event with JSON data as a Kafka record in binary mode."""
    attributes = {name: value for name, value in carried.items() if name != "data"}
    headers = [(f"ce_{name}", str(value).encode()) for name, value in attributes.items()]
    headers.append(("content-type", b"application/json"))
    return RawRecord(key=key, value=json.dumps(carried["data"]).encode(), headers=tuple(headers))


def _note(
    number: int, results: list[tuple[int, Outcome, Position | None]], error: KafkaError | None, message: Message
) -> None:
    if error is not None:
        results.append((number, Outcome.UNKNOWN, None))
        return
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    position = Position(topic=str(topic), partition=int(partition or 0), offset=int(offset or 0))
    results.append((number, Outcome.OK, position))


def _refusal(status: int, code: str | None) -> Outcome:
    """Tell a definite failure from one that leaves open whether the event was accepted."""
    definite = status < 500 or code in {"not_accepted", "overloaded"}
    return Outcome.FAIL if definite else Outcome.UNKNOWN
