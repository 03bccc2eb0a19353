"""detect-anomaly: checks signals against the rules; what breaks one becomes an anomaly and an outbox row together.

events ──▶ signals ──▶ rules ──▶ [anomalies?] ──yes──▶ one transaction: signals, anomalies, outbox ──▶ verdicts
   └─ no signal: skipped              └─ no: done

Events that are no signals are answered as done: process-signal dead-letters them, once.
"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import ClassVar

from prometheus_client import CollectorRegistry

from signal_pipeline.domain.anomalies import anomalies_of, select_rules
from signal_pipeline.domain.failures import Failure
from signal_pipeline.domain.signals import Signal, signal_of
from signal_pipeline.errors import ConfigurationError
from signal_pipeline.events.envelope import CloudEvent, RefusedEvent
from signal_pipeline.observability.metrics import DetectMetrics
from signal_pipeline.roles.database import DatabaseFunction
from signal_pipeline.settings import Settings
from signal_pipeline.store.anomalies import Detection, store_anomalies
from signal_pipeline.store.errors import StoreError

__all__ = ["DetectAnomaly"]


class DetectAnomaly(DatabaseFunction):
    """The role detect-anomaly."""

    name: ClassVar[str] = "detect-anomaly"

    def __init__(self, settings: Settings, registry: CollectorRegistry) -> None:
        super().__init__(settings, registry)
        self._metrics = DetectMetrics(registry)
        try:
            self._rules = select_rules(settings.enabled_rules)
        except ValueError as exc:
            raise ConfigurationError(f"ENABLED_RULES: {exc}") from exc
        for rule in self._rules:
            self._metrics.detected.labels(rule.name, str(rule.severity))  # a rule that found nothing shows as 0

    def refuse(self, event: RefusedEvent) -> Failure | None:
        """Skip an event that is not valid."""
        del event
        self._metrics.skipped.inc()
        return None

    async def handle(self, events: Sequence[CloudEvent]) -> Sequence[Failure | None]:
        """Store what the rules find; raises `StoreError` when nothing could be stored."""
        started = time.perf_counter()
        now = datetime.now(UTC)
        decided = [signal_of(event, accepted_at=now) for event in events]
        signals = [signal for signal in decided if isinstance(signal, Signal)]
        detections = self._detect(signals)
        skipped = len(events) - len(signals) + (await self._store(detections) if detections else 0)
        self._metrics.skipped.inc(skipped)
        self._metrics.latency.observe(time.perf_counter() - started)
        return [None] * len(events)

    def _detect(self, signals: Sequence[Signal]) -> list[Detection]:
        found = ((signal, anomalies_of(signal, self._rules)) for signal in signals)
        return [Detection(signal=signal, anomalies=anomalies) for signal, anomalies in found if anomalies]

    async def _store(self, detections: Sequence[Detection]) -> int:
        """Store detections; return how many signals the database refused, which process-signal dead-letters."""
        try:
            stored = await store_anomalies(self.pool, detections)
        except StoreError:
            self._metrics.outbox_failures.inc()
            raise
        self._metrics.outbox_events.inc(len(stored.inserted))
        counted = set(stored.inserted)
        for detection in detections:
            for anomaly in detection.anomalies:
                if anomaly.id in counted:
                    counted.remove(anomaly.id)  # a signal may stand twice in a batch, its anomaly is new once
                    self._metrics.detected.labels(anomaly.anomaly_type, str(anomaly.severity)).inc()
        return len(stored.signals.failures)
