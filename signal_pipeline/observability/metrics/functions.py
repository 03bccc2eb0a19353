"""What the functions count and time while they serve."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.observability.metrics.buckets import (
    AGE_SECONDS,
    BATCH_EVENTS,
    CALL_SECONDS,
    RECOVERY_SECONDS,
)

__all__ = [
    "REFUSALS",
    "AuthMetrics",
    "CertificateMetrics",
    "CoalescingMetrics",
    "ConfirmMetrics",
    "DetectMetrics",
    "EmitMetrics",
    "ProcessMetrics",
    "RateLimitMetrics",
    "ReplayMetrics",
    "RequestMetrics",
    "RetentionMetrics",
]

# No credentials or wrong ones, not enough of them, too large, too many: what somebody who tries the doors meets.
REFUSALS: Final = (401, 403, 413, 429)


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
            buckets=CALL_SECONDS,
            registry=registry,
        )
        self.in_flight = Gauge("http_requests_in_flight", "Requests being answered now.", registry=registry)
        self.refused = Counter(
            "events_refused_total", "Events answered with a failure, by class.", ["failure_class"], registry=registry
        )
        for failure_class in FailureClass:
            self.refused.labels(failure_class.value)  # what never happened shows as 0
        self.refusals = Counter(
            "http_refusals_total",
            "Requests refused for their credentials, their size or their number, by status.",
            ["status"],
            registry=registry,
        )
        for status in REFUSALS:
            self.refusals.labels(str(status))


class CoalescingMetrics:
    """How well requests of one event each share their writes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.events = Histogram(
            "coalesced_events",
            "Events per shared write of requests with one event each.",
            buckets=BATCH_EVENTS,
            registry=registry,
        )


class CertificateMetrics:
    """The certificate that a function serves HTTPS with; without one there is nothing to show."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.expiry = Gauge(
            "tls_certificate_expiry_timestamp_seconds",
            "When the certificate that is served ends to be valid, in seconds since 1970.",
            registry=registry,
        )


class EmitMetrics:
    """Metrics of emit."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.produced = Counter("signals_produced_total", "Signals acknowledged by the broker.", registry=registry)
        self.errors = Counter("produce_errors_total", "Signals that the broker did not acknowledge.", registry=registry)
        self.latency = Histogram(
            "produce_latency_seconds",
            "Time from a request's first produce to its last acknowledgement.",
            buckets=CALL_SECONDS,
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
            buckets=CALL_SECONDS,
            registry=registry,
        )
        self.age = Histogram(
            "signal_age_seconds",
            "Time from the oldest signal that a batch stored to its row.",
            buckets=AGE_SECONDS,
            registry=registry,
        )
        self.outcomes = Counter(
            "signals_stored_total",
            "Signals by what storing them did, such as inserted, updated, unchanged or stale.",
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
            buckets=CALL_SECONDS,
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
            buckets=AGE_SECONDS,
            registry=registry,
        )


class ReplayMetrics:
    """Metrics of replay-dlq."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.processed = Counter("dlq_messages_processed_total", "Dead letters recorded.", registry=registry)
        self.replayed = Counter("dlq_messages_replayed_total", "Dead letters published again.", registry=registry)
        self.failed = Counter(
            "dlq_messages_failed_total",
            "Dead letters given up, and replays that failed, by failure class.",
            ["failure_type"],
            registry=registry,
        )
        for failure_class in FailureClass:
            self.failed.labels(failure_class.value)  # what never happened shows as 0
        self.recovery_latency = Histogram(
            "dlq_recovery_latency_seconds",
            "Time from the first failure to the replay.",
            buckets=RECOVERY_SECONDS,
            registry=registry,
        )
        self.retry_attempts = Counter("dlq_retry_attempts_total", "Replays attempted.", registry=registry)


class AuthMetrics:
    """Metrics of auth."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.issued = Counter("auth_tokens_issued_total", "Token pairs issued, by grant.", ["grant"], registry=registry)
        self.refused = Counter("auth_refused_total", "Refused credentials, by grant.", ["grant"], registry=registry)
        self.limited = Counter(
            "auth_logins_limited_total",
            "Attempts at a password that were turned away unlooked at, by the limit that was reached.",
            ["layer"],
            registry=registry,
        )
        self.ended = Counter(
            "auth_logins_ended_total",
            "Logins that ended before their time, by reason: refresh_reused is a stolen token, or a broken client.",
            ["reason"],
            registry=registry,
        )
        for grant in ("password", "refresh"):
            self.issued.labels(grant)
            self.refused.labels(grant)
        for layer in ("login_user", "login_address"):
            self.limited.labels(layer)
        for reason in ("logout", "refresh_reused"):
            self.ended.labels(reason)


class RateLimitMetrics:
    """What the rate limits decide, and whether they hold across processes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.decisions = Counter(
            "rate_limit_decisions_total",
            "Calls by the layer that decided and the outcome: allowed, refused, or never: more than fits at once.",
            ["layer", "outcome"],
            registry=registry,
        )
        for layer in ("key", "address", "global"):
            for outcome in ("allowed", "refused", "never"):
                self.decisions.labels(layer, outcome)  # what never happened shows as 0
        self.fallback = Gauge(
            "rate_limiter_fallback",
            "1 while Redis does not answer and limits hold within this process only, or all is refused; else 0.",
            registry=registry,
        )


class RetentionMetrics:
    """Metrics of the role that hosts the purge."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.purged = Counter("purged_rows_total", "Rows deleted by retention.", ["table"], registry=registry)
