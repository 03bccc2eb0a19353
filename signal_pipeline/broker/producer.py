"""An asyncio face for librdkafka's producer: an outcome for every record, and never a guess.

`produce` returns after the broker acknowledged, refused or did not answer in time. What it says of a record is one of
    None                            written, acknowledged by all in-sync replicas
    ProduceError `not_accepted`     certainly not written: nothing was sent
    ProduceError `message_too_large` certainly not written, and never will be
    ProduceError `outcome_unknown`  sent or queued, no answer: may yet be written
Only a record that was never handed to librdkafka, or that the broker refused by name, counts as certainly not written:
librdkafka does not tell whether a record that timed out had left.
"""

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from signal_pipeline.broker.config import DELIVERY_TIMEOUT_MS, producer_config
from signal_pipeline.events.kafka import OutgoingRecord
from signal_pipeline.observability.logs import get_logger
from signal_pipeline.settings import Settings

__all__ = ["TOO_LARGE", "KafkaProducer", "ProduceError"]

TOO_LARGE: Final = "message_too_large"  # the one refusal that no repetition changes

_QUEUE_FULL_PAUSE_SECONDS: Final = 0.01
_PROBE_SECONDS: Final = 1.0
_POLL_SECONDS: Final = 0.1
# The broker, or librdkafka before sending, refused these by name.
_REFUSED: Final = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001 - librdkafka's own codes begin with an underscore
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
        KafkaError.INVALID_RECORD,
        KafkaError.POLICY_VIOLATION,
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProduceError:
    """Why a record is not known to be written.

    Attributes:
        code: See the module's text.
        detail: librdkafka's or the broker's reason.
    """

    code: Literal["not_accepted", "message_too_large", "outcome_unknown"]
    detail: str


class _Batch:
    """The records of one call; its future is resolved once, from whichever thread sees the last report."""

    def __init__(self, size: int) -> None:
        self._loop = asyncio.get_running_loop()
        unreported = ProduceError(code="outcome_unknown", detail="no acknowledgement in time")
        self.outcomes: list[ProduceError | None] = [unreported] * size
        self.done: asyncio.Future[None] = self._loop.create_future()
        self._reported = 0
        self._expected: int | None = None

    def expect(self, reports: int) -> None:
        """Say how many reports will come; called on the loop after the last record was handed over."""
        self._expected = reports
        self._finish_if_complete()

    def report(self, index: int, error: KafkaError | None, _message: Message) -> None:
        """Take one delivery report; called on the poll thread."""
        self.outcomes[index] = None if error is None else _verdict(error)
        self._reported += 1
        self._finish_if_complete()

    def _finish_if_complete(self) -> None:
        # One wake-up of the loop for a whole batch, not one for every record.
        if self._reported == self._expected and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._finish)

    def _finish(self) -> None:
        if not self.done.done():
            self.done.set_result(None)


class KafkaProducer:
    """Produces records from asyncio code; one per process, made inside a running loop's process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._log = get_logger()
        self._unreachable = True  # until a broker has answered once
        self._fatal = False
        self._probed_at = float("-inf")
        self._reachable = False
        self._probing = asyncio.Lock()
        self._closed = threading.Event()
        self._producer = self._connect()
        self._poller = threading.Thread(target=self._poll_until_closed, name="kafka-producer", daemon=True)
        self._poller.start()

    async def produce(
        self, records: Sequence[OutgoingRecord], *, timeout_seconds: float = DELIVERY_TIMEOUT_MS / 1000 + 1
    ) -> list[ProduceError | None]:
        """Produce records and wait for the broker's word on each.

        Args:
            records: What to write, in order.
            timeout_seconds: Longest wait; what has no answer by then is `outcome_unknown`.

        Returns:
            One outcome for each record, in the same order; None is success.
        """
        if self._unreachable and not await self.ready():
            refusal = ProduceError(code="not_accepted", detail="no broker can be reached")
            return [refusal] * len(records)
        self._replace_if_fatal()
        batch, deadline = _Batch(len(records)), time.monotonic() + timeout_seconds
        sent = 0
        for index, record in enumerate(records):
            refusal_or_none = await self._hand_over(record, partial(batch.report, index), deadline)
            if refusal_or_none is None:
                sent += 1  # from here on the outcome belongs to the poll thread
            else:
                batch.outcomes[index] = refusal_or_none
        batch.expect(sent)
        await asyncio.wait([batch.done], timeout=max(deadline - time.monotonic(), 0))
        return batch.outcomes

    async def ready(self) -> bool:
        """Tell whether a broker answers; asked of the network at most once a second."""
        async with self._probing:
            if time.monotonic() - self._probed_at >= _PROBE_SECONDS:
                self._reachable = await asyncio.to_thread(self._probe)
                self._probed_at = time.monotonic()
        return self._reachable

    async def close(self, timeout_seconds: float = 10) -> None:
        """Wait for what is under way, then stop the poll thread."""
        await asyncio.to_thread(self._producer.flush, timeout_seconds)
        self._closed.set()
        await asyncio.to_thread(self._poller.join, timeout_seconds)

    async def _hand_over(self, record: OutgoingRecord, report: Any, deadline: float) -> ProduceError | None:
        while True:
            try:
                self._producer.produce(
                    record.topic, record.value, record.key, on_delivery=report, headers=list(record.headers)
                )
            except BufferError:
                if time.monotonic() >= deadline:
                    return ProduceError(code="not_accepted", detail="the producer's queue is full")
                await asyncio.sleep(_QUEUE_FULL_PAUSE_SECONDS)
            except KafkaException as exc:
                return _local_refusal(exc.args[0])
            else:
                return None

    def _probe(self) -> bool:
        try:
            self._producer.list_topics(timeout=_PROBE_SECONDS)
        except KafkaException:
            return False
        self._unreachable = False
        return True

    def _connect(self) -> Producer:
        return Producer({**producer_config(self._settings), "error_cb": self._on_error})

    def _on_error(self, error: KafkaError) -> None:
        self._log.warning("kafka_client_error", code=error.name(), detail=error.str())
        if error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001
            self._unreachable = True
        if error.fatal():
            self._fatal = True

    def _replace_if_fatal(self) -> None:
        # After a fatal error an idempotent producer refuses everything for ever; a new one begins a new sequence.
        if self._fatal:
            self._fatal = False
            self._producer = self._connect()

    def _poll_until_closed(self) -> None:
        while not self._closed.is_set():
            self._producer.poll(_POLL_SECONDS)


def _local_refusal(error: KafkaError) -> ProduceError:
    verdict = _verdict(error)
    # Whatever the reason, librdkafka did not take the record.
    return verdict if verdict.code == TOO_LARGE else ProduceError(code="not_accepted", detail=verdict.detail)


def _verdict(error: KafkaError) -> ProduceError:
    if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
        return ProduceError(code="message_too_large", detail=error.str())
    if error.code() in _REFUSED:
        return ProduceError(code="not_accepted", detail=error.str())
    return ProduceError(code="outcome_unknown", detail=error.str())
