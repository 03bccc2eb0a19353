"""Every metric of the product, declared once, grouped by the process that exports it.

A role has one metrics page. Its function serves the page and appends its trigger's page to its own, so the two
processes never declare the same name: the trigger's process metrics carry the prefix `trigger_`.
"""

import math

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
)

from signal_pipeline import __version__
from signal_pipeline.domain.failures import FailureClass

__all__ = [
    "AuditMetrics",
    "AuthMetrics",
    "ConfirmMetrics",
    "DetectMetrics",
    "EmitMetrics",
    "ProcessMetrics",
    "ReplayMetrics",
    "RequestMetrics",
    "RetentionMetrics",
    "TriggerMetrics",
    "function_registry",
    "trigger_registry",
]

# The text format would carry a `_created` series beside every counter, which nothing reads.
disable_created_metrics()  # type: ignore[no-untyped-call]

# Produce and database calls take 1 ms to some seconds; below and above that the exact value changes no decision.
_CALL_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
# From the event's time to its effect: seconds while live, hours for late events and after an outage.
_AGE_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)
# The first replay is due after a minute, the last after hours.
_RECOVERY_SECONDS = (1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600)
_BATCH_EVENTS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000)


def function_registry(role: str) -> CollectorRegistry:
    """Return a registry for the function's process with its build and process metrics."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    Info("build", "Version of the running code.", registry=registry).info({"version": __version__, "role": role})
    return registry


def trigger_registry() -> CollectorRegistry:
    """Return a registry for the trigger's process; its process metrics are named `trigger_process_*`."""
    registry = CollectorRegistry()
    ProcessCollector(namespace="trigger", registry=registry)
    return registry


class RequestMetrics:
    """What every function measures about its HTTP surface."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "http_requests_total",
            "Answered requests by route and status class.",
            ["route", "status"],
            registry=registry,
        )
        self.latency = Histogram(
            "http_request_duration_seconds",
            "Time to answer a request.",
            ["route"],
            buckets=_CALL_SECONDS,
            registry=registry,
        )
        self.in_flight = Gauge("http_requests_in_flight", "Requests being answered now.", registry=registry)
        self.refused = Counter(
            "events_refused_total", "Events answered with a failure, by class.", ["failure_class"], registry=registry
        )


class EmitMetrics:
    """Metrics of emit."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.produced = Counter("signals_produced_total", "Signals acknowledged by the broker.", registry=registry)
        self.errors = Counter("produce_errors_total", "Signals that the broker did not acknowledge.", registry=registry)
        self.latency = Histogram(
            "produce_latency_seconds",
            "Time from a request's first produce to its last acknowledgement.",
            buckets=_CALL_SECONDS,
            registry=registry,
        )


class ProcessMetrics:
    """Metrics of process-signal."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.consumed = Counter(
            "signals_consumed_total", "Signals made durable, redeliveries included.", registry=registry
        )
        self.write_failures = Counter(
            "db_write_failures_total", "Writes to PostgreSQL that failed, by batch.", registry=registry
        )
        self.latency = Histogram(
            "processing_latency_seconds",
            "Time to store one batch of signals.",
            buckets=_CALL_SECONDS,
            registry=registry,
        )
        self.age = Histogram(
            "signal_age_seconds",
            "Time from a batch's oldest signal to its row.",
            buckets=_AGE_SECONDS,
            registry=registry,
        )
        self.outcomes = Counter(
            "signals_stored_total",
            "Signals by what storing them did: inserted, updated, unchanged, stale or conflict.",
            ["outcome"],
            registry=registry,
        )


class DetectMetrics:
    """Metrics of detect-anomaly."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.detected = Counter(
            "anomalies_detected_total", "New anomalies by rule and severity.", ["type", "severity"], registry=registry
        )
        self.latency = Histogram(
            "detection_latency_seconds",
            "Time to check one batch and store what was found.",
            buckets=_CALL_SECONDS,
            registry=registry,
        )
        self.outbox_events = Counter("outbox_events_total", "Rows written to the outbox.", registry=registry)
        self.outbox_failures = Counter(
            "outbox_write_failures_total", "Transactions with outbox rows that failed.", registry=registry
        )
        self.skipped = Counter(
            "signals_skipped_total", "Events that process-signal dead-letters, skipped here.", registry=registry
        )


class ConfirmMetrics:
    """Metrics of confirm-outbox."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.confirmed = Counter("outbox_confirmed_total", "Outbox rows stamped as published.", registry=registry)
        self.latency = Histogram(
            "outbox_confirm_latency_seconds",
            "Time from the outbox row to its stamp.",
            buckets=_AGE_SECONDS,
            registry=registry,
        )


class ReplayMetrics:
    """Metrics of replay-dlq."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.processed = Counter("dlq_messages_processed_total", "Dead letters recorded.", registry=registry)
        self.replayed = Counter("dlq_messages_replayed_total", "Dead letters published again.", registry=registry)
        self.failed = Counter(
            "dlq_messages_failed_total",
            "Dead letters that could not be recovered, by reason.",
            ["failure_type"],
            registry=registry,
        )
        for failure_class in FailureClass:
            self.failed.labels(failure_class.value)  # what never happened shows as 0
        self.recovery_latency = Histogram(
            "dlq_recovery_latency_seconds",
            "Time from the first failure to the replay.",
            buckets=_RECOVERY_SECONDS,
            registry=registry,
        )
        self.queue_size = Gauge(
            "dlq_queue_size", "Unread dead letters plus recorded ones without an outcome.", registry=registry
        )
        self.retry_attempts = Counter("dlq_retry_attempts_total", "Replays attempted.", registry=registry)
        self.last_audit = AuditMetrics(registry)


class AuditMetrics:
    """The last audit that was recorded; not a number before the first, which is neither zero nor a failure."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.finished_at = Gauge(
            "audit_last_run_timestamp_seconds",
            "When the last audit ended, in seconds since 1970; NaN before the first.",
            registry=registry,
        )
        self.ok = Gauge(
            "audit_last_run_ok",
            "1 when the last audit found everything in order, else 0; NaN before the first.",
            registry=registry,
        )
        self.missing = Gauge(
            "audit_missing_events",
            "Events that the last audit found neither stored nor dead-lettered; NaN before the first.",
            registry=registry,
        )
        self.audited = Gauge(
            "audit_events", "Events that the last audit looked for; NaN before the first.", registry=registry
        )
        for gauge in (self.finished_at, self.ok, self.missing, self.audited):
            gauge.set(math.nan)


class AuthMetrics:
    """Metrics of auth."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.issued = Counter("auth_tokens_issued_total", "Token pairs issued, by grant.", ["grant"], registry=registry)
        self.refused = Counter("auth_refused_total", "Refused credentials, by grant.", ["grant"], registry=registry)


class RetentionMetrics:
    """Metrics of the role that hosts the purge."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.purged = Counter("purged_rows_total", "Rows deleted by retention.", ["table"], registry=registry)


class TriggerMetrics:
    """Metrics of a trigger: one process, which may run several sources."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.up = Gauge("trigger_up", "1 while the trigger runs.", registry=registry)
        self.lag = Gauge("consumer_lag", "Log end minus committed offset, over all partitions.", registry=registry)
        self.partition_lag = Gauge(
            "consumer_partition_lag",
            "Log end minus committed offset of one partition.",
            ["topic", "partition"],
            registry=registry,
        )
        self.dead_letters = Counter(
            "signals_dlq_total", "Events acknowledged by the dead-letter topic.", registry=registry
        )
        self.dead_letters_by_class = Counter(
            "trigger_dead_letters_total", "Dead letters by failure class.", ["failure_class"], registry=registry
        )
        for failure_class in FailureClass:
            self.dead_letters_by_class.labels(failure_class.value)
        self.delivered = Counter(
            "trigger_events_delivered_total", "Events the function made durable.", registry=registry
        )
        self.retries = Counter(
            "trigger_retries_total",
            "Failures after which an event is tried again, by class.",
            ["failure_class"],
            registry=registry,
        )
        self.batch_events = Histogram(
            "trigger_batch_events", "Events per delivery.", buckets=_BATCH_EVENTS, registry=registry
        )
        self.delivery_latency = Histogram(
            "trigger_delivery_seconds", "Time of one delivery.", buckets=_CALL_SECONDS, registry=registry
        )
        self.in_flight = Gauge("trigger_in_flight", "Events being delivered now.", registry=registry)
        self.paused = Gauge("trigger_paused_partitions", "Partitions that back off now.", registry=registry)
        self.emitted = Counter("trigger_ticks_total", "Calls made by rate and schedule sources.", registry=registry)
        self.emit_failures = Counter(
            "trigger_tick_failures_total", "Calls of rate and schedule sources that failed.", registry=registry
        )
