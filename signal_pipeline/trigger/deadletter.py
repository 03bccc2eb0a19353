"""Writes dead letters: a record counts as given up only once the broker acknowledged its dead letter.

A record can be larger than any dead letter, when its producer compressed it: the broker's limit is for what was sent.
No repetition would help and no other record may wait for it, so its dead letter has the metadata alone: why it was
given up, and where it lies.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from signal_pipeline import __version__
from signal_pipeline.broker.producer import TOO_LARGE, KafkaProducer
from signal_pipeline.domain.dead_letters import DeadLetterMetadata, Disposition, metadata_headers
from signal_pipeline.domain.failures import Failure, FailureClass
from signal_pipeline.events.kafka import OutgoingRecord, trace_of
from signal_pipeline.observability.logs import get_logger
from signal_pipeline.observability.metrics import DeliveryMetrics
from signal_pipeline.trigger.manifest import KafkaTrigger
from signal_pipeline.trigger.pending import Fate, Pending

__all__ = ["DeadLetterWriter"]

_EXPIRED: Final = Failure(
    failure_class=FailureClass.UNEXPECTED, code="expired", detail="the event is older than the trigger delivers"
)


class DeadLetterWriter:
    """The way out of a trigger for records that are given up."""

    def __init__(self, trigger: KafkaTrigger, producer: KafkaProducer, metrics: DeliveryMetrics) -> None:
        self._trigger = trigger
        self._producer = producer
        self._metrics = metrics
        self._log = get_logger()

    async def write(self, doomed: Sequence[Pending]) -> bool:
        """Produce the dead letters; those that the broker acknowledged become durable, the others stay doomed.

        Returns:
            Whether all were acknowledged.
        """
        outcomes = await self._producer.produce([self._record(one) for one in doomed])
        large = [index for index, error in enumerate(outcomes) if error is not None and error.code == TOO_LARGE]
        if large:
            cut = await self._producer.produce([self._without_content(doomed[index]) for index in large])
            for index, outcome in zip(large, cut, strict=True):
                outcomes[index] = outcome
        for pending, error in zip(doomed, outcomes, strict=True):
            if error is None:
                pending.fate = Fate.DURABLE
                self._metrics.dead_letters.inc()
                self._metrics.dead_letters_by_class.labels((pending.failure or _EXPIRED).failure_class.value).inc()
        refused = next((error for error in outcomes if error is not None), None)
        if refused is not None:
            self._log.error("dead_letter_not_written", code=refused.code, detail=refused.detail)
        return refused is None

    def _record(self, pending: Pending) -> OutgoingRecord:
        record = pending.record
        return OutgoingRecord(
            topic=self._topic(pending),
            key=record.key,
            value=record.value,
            headers=(*record.headers, *metadata_headers(self._metadata(pending))),
        )

    def _without_content(self, pending: Pending) -> OutgoingRecord:
        record, metadata = pending.record, self._metadata(pending)
        size = len(record.key or b"") + len(record.value or b"")
        self._log.error(
            "dead_letter_without_content", topic=record.topic, partition=record.partition, offset=record.offset
        )
        omitted = f"key and value of {size} bytes and the headers are left out, as no dead letter takes so much"
        said = replace(metadata, message=f"{omitted}; {metadata.message}")
        return OutgoingRecord(topic=self._topic(pending), key=None, value=None, headers=metadata_headers(said))

    def _topic(self, pending: Pending) -> str:
        if pending.disposition is Disposition.EXPIRED and self._trigger.quarantine_topic:
            return self._trigger.quarantine_topic
        return self._trigger.dead_letter_topic

    def _metadata(self, pending: Pending) -> DeadLetterMetadata:
        record, failure, now = pending.record, pending.failure or _EXPIRED, datetime.now(UTC)
        return DeadLetterMetadata(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            timestamp_ms=record.timestamp_ms,
            failure_class=failure.failure_class,
            code=failure.code,
            message=failure.detail,
            attempts=pending.attempts,
            first_failed_at=pending.first_failed_at or now,
            last_failed_at=pending.last_failed_at or now,
            group=self._trigger.group,
            function=self._trigger.function,
            build=__version__,
            disposition=pending.disposition or Disposition.EXHAUSTED,
            traceparent=trace_of(record),
        )
