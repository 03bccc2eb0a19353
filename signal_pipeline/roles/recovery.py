"""The closed loop of dead letters.

dead letter ──▶ decide ──▶ row `scheduled`                     tick ──▶ take due ──▶ effect exists? ──▶ resolved
                   └─ never again ──▶ quarantine topic ──▶ row                         └─ no ──▶ publish ──▶ replayed

A dead letter is recorded before its offset moves; a row is marked as replayed after the broker acknowledged. Whatever
dies in between repeats: the same failure is counted once, and a record published twice changes nothing.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from signal_pipeline.broker.producer import TOO_LARGE, KafkaProducer, ProduceError
from signal_pipeline.domain.dead_letters import ORIGIN_HEADER, metadata_headers
from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.domain.replay import ReplaySchedule, next_attempt_at
from signal_pipeline.errors import DependencyUnavailable
from signal_pipeline.events.dead_letter import DeadLetter, signal_of_record
from signal_pipeline.events.kafka import KafkaRecord, OutgoingRecord
from signal_pipeline.observability.logs import get_logger
from signal_pipeline.observability.metrics import ReplayMetrics
from signal_pipeline.store.dead_letters import (
    DeadLetterRow,
    DueDeadLetter,
    KnownFailures,
    digest,
    mark_quarantined,
    mark_replayed,
    mark_resolved,
    record_dead_letters,
    recorded_failures,
    take_due,
)
from signal_pipeline.store.pool import Pool
from signal_pipeline.store.signals import SignalVersion, signals_exist
from signal_pipeline.topology import QUARANTINE

__all__ = ["Published", "Recovery", "TickResult"]

# The group whose effect is a row: what it failed on needs no replay once the row is there.
_ROW_WRITER: Final = "process-signal"
_NO_TIME: Final = datetime.min.replace(tzinfo=UTC)  # stands in for the time that an event does not have


@dataclass(frozen=True, kw_only=True, slots=True)
class TickResult:
    """What one tick did.

    Attributes:
        taken: Dead letters that were due.
        replayed: Published again.
        resolved: Their effect existed.
        failed: Not acknowledged by the broker: due again when their lease is over, or in quarantine when too large.
    """

    taken: int = 0
    replayed: int = 0
    resolved: int = 0
    failed: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """What became of records that were published again.

    Attributes:
        acknowledged: On their topic.
        hopeless: Too large for their topic with the header that replay adds; no repetition helps.
    """

    acknowledged: Sequence[DueDeadLetter]
    hopeless: Sequence[DueDeadLetter]


class Recovery:
    """Records dead letters and replays the due ones.

    Args:
        pool: Where they are recorded.
        producer: Publishes to the original topics and to quarantine.
        metrics: Counts what happens.
        schedule: When they are tried again.
    """

    def __init__(self, pool: Pool, producer: KafkaProducer, metrics: ReplayMetrics, schedule: ReplaySchedule) -> None:
        self._pool = pool
        self._producer = producer
        self._metrics = metrics
        self._schedule = schedule
        self._random = random.SystemRandom()

    async def record(self, letters: Sequence[DeadLetter]) -> None:
        """Record dead letters, all or none; recording one again changes nothing.

        Raises:
            PipelineError: nothing was recorded; the same letters must come again.
        """
        # The same letter may be in a batch twice: one failure is one row and one record in quarantine.
        letters = list({letter.metadata.id: letter for letter in letters}.values())
        known = await self._known(letters)
        rows = [self._row(letter, known) for letter in letters]
        # What was counted before was put into quarantine then: its offset was not committed, that is all.
        given_up = [
            letter
            for letter, row in zip(letters, rows, strict=True)
            if row.next_attempt_at is None and not _is_counted(letter, known)
        ]
        await self._quarantine(given_up)
        recorded = await record_dead_letters(self._pool, rows)
        self._metrics.processed.inc(recorded.inserted + recorded.counted)
        for letter in given_up:
            self._metrics.failed.labels(letter.metadata.failure_class.value).inc()

    async def tick(self, limit: int) -> TickResult:
        """Replay up to `limit` dead letters that are due; `PipelineError` when a dependency is down."""
        due = await take_due(self._pool, limit, datetime.now(UTC))
        existing = await self._with_effect(due)
        await mark_resolved(self._pool, [letter for letter in due if letter.dlq_id in existing])
        rest = [letter for letter in due if letter.dlq_id not in existing]
        published = await self.publish(rest)
        await mark_replayed(self._pool, published.acknowledged)
        await mark_quarantined(self._pool, published.hopeless)
        return TickResult(
            taken=len(due),
            replayed=len(published.acknowledged),
            resolved=len(existing),
            failed=len(rest) - len(published.acknowledged),
        )

    async def _known(self, letters: Sequence[DeadLetter]) -> dict[UUID, KnownFailures]:
        """Return what is counted under the ids that the letters have, and that they claim to come from."""
        claims = []
        for letter in letters:
            content = digest(letter.key, letter.value)
            claims += [(claim, content) for claim in _claims(letter)]
        return await recorded_failures(self._pool, claims)

    def _row(self, letter: DeadLetter, known: Mapping[UUID, KnownFailures]) -> DeadLetterRow:
        earlier = known.get(letter.origin) if letter.origin else None
        due = next_attempt_at(
            letter.metadata,
            attempts=(earlier.attempts if earlier else 0) + 1,
            schedule=self._schedule,
            now=datetime.now(UTC),
            chance=self._random.random(),
        )
        return DeadLetterRow(
            metadata=letter.metadata,
            origin=letter.origin,
            key=letter.key,
            value=letter.value,
            headers=letter.headers,
            event_id=letter.event_id,
            event_source=letter.event_source,
            signal_id=letter.signal_id,
            next_attempt_at=due,
        )

    async def _quarantine(self, letters: Sequence[DeadLetter]) -> None:
        """Publish letters to quarantine as they came; `DependencyUnavailable` unless all were acknowledged.

        One that no topic takes, because it fills its own and our metadata comes on top, is in the table alone: no
        repetition would help, and all behind it would wait for ever.
        """
        outcomes = await self._producer.produce(
            [
                OutgoingRecord(
                    topic=QUARANTINE.name,
                    key=letter.key,
                    value=letter.value,
                    headers=(*letter.headers, *metadata_headers(letter.metadata)),
                )
                for letter in letters
            ]
        )
        for letter, outcome in zip(letters, outcomes, strict=True):
            if outcome is not None and outcome.code == TOO_LARGE:
                get_logger().error("quarantine_has_no_copy", dlq_id=str(letter.metadata.id), detail=outcome.detail)
        refused = next((one for one in outcomes if one is not None and one.code != TOO_LARGE), None)
        if refused is not None:
            raise DependencyUnavailable("the quarantine topic did not acknowledge", code=refused.code)

    async def _with_effect(self, due: Sequence[DueDeadLetter]) -> set[UUID]:
        """Return the ids of those whose effect exists meanwhile."""
        versions = {
            letter.dlq_id: version
            for letter in due
            if letter.consumer_group == _ROW_WRITER and (version := _version(letter)) is not None
        }
        stored = await signals_exist(self._pool, list(versions.values())) if versions else []
        return {dlq_id for dlq_id, exists in zip(versions, stored, strict=True) if exists}

    async def publish(self, letters: Sequence[DueDeadLetter]) -> Published:
        """Publish records again where they came from; what is in neither part of the result may be tried again."""
        self._metrics.retry_attempts.inc(len(letters))
        outcomes = await self._producer.produce([_again(letter) for letter in letters])
        for outcome in outcomes:
            if outcome is not None:
                self._metrics.failed.labels(_class_of(outcome).value).inc()
        verdicts = list(zip(letters, outcomes, strict=True))
        acknowledged = [letter for letter, outcome in verdicts if outcome is None]
        hopeless = [letter for letter, outcome in verdicts if outcome is not None and outcome.code == TOO_LARGE]
        now = datetime.now(UTC)
        for letter in acknowledged:
            self._metrics.recovery_latency.observe(max((now - letter.first_failed_at).total_seconds(), 0))
        self._metrics.replayed.inc(len(acknowledged))
        return Published(acknowledged=acknowledged, hopeless=hopeless)


def _class_of(refusal: ProduceError) -> FailureClass:
    """Return why a record could not be published again: its own size, or the broker."""
    return FailureClass.INVALID if refusal.code == TOO_LARGE else FailureClass.DEPENDENCY


def _claims(letter: DeadLetter) -> list[UUID]:
    return [letter.metadata.id, *([letter.origin] if letter.origin else [])]


def _is_counted(letter: DeadLetter, known: Mapping[UUID, KnownFailures]) -> bool:
    """Tell whether this very failure is in the table already."""
    return any(letter.metadata.id in known[claim].ids for claim in _claims(letter) if claim in known)


def _version(letter: DueDeadLetter) -> SignalVersion | None:
    """Return the version of a signal that a dead letter would store; None when it is no signal."""
    signal = signal_of_record(
        KafkaRecord(letter.topic, 0, 0, 0, letter.key, letter.value, letter.headers), now=_NO_TIME
    )
    if signal is None:
        return None
    event_ts = None if signal.event_ts == _NO_TIME else signal.event_ts
    return SignalVersion(id=signal.id, source=signal.source, event_ts=event_ts)


def _again(letter: DueDeadLetter) -> OutgoingRecord:
    """Return the original record with the id under which the next failure is counted, in place of any claimed one."""
    headers = [header for header in letter.headers if header[0] != ORIGIN_HEADER]
    headers.append((ORIGIN_HEADER, str(letter.dlq_id).encode()))
    return OutgoingRecord(topic=letter.topic, key=letter.key, value=letter.value, headers=tuple(headers))
