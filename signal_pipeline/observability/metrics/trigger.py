"""What a trigger's process counts, times and measures."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.observability.metrics.buckets import BATCH_EVENTS, CALL_SECONDS

__all__ = ["DeliveryMetrics", "LagMetrics", "TriggerMetrics"]


class LagMetrics:
    """How far a consumer group is behind, in records and in time."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.records = Gauge("consumer_lag", "Log end minus committed offset, over all partitions.", registry=registry)
        self.partition_records = Gauge(
            "consumer_partition_lag",
            "Log end minus committed offset of one partition.",
            ["topic", "partition"],
            registry=registry,
        )
        self.seconds = Gauge(
            "consumer_lag_seconds",
            "Age of the oldest record that is read and not resolved, by the broker's time; 0 when there is none.",
            registry=registry,
        )
        self.partition_seconds = Gauge(
            "consumer_partition_lag_seconds",
            "Age of one partition's oldest record that is read and not resolved.",
            ["topic", "partition"],
            registry=registry,
        )


class DeliveryMetrics:
    """Metrics of a trigger's deliveries from Kafka; only where something is consumed, for else a lag of 0 is untrue."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.lag = LagMetrics(registry)
        self.dead_letters = Counter(
            "signals_dlq_total",
            "Events given up: acknowledged by the dead-letter topic, or by quarantine when they expired.",
            registry=registry,
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
        for failure_class in FailureClass:
            self.retries.labels(failure_class.value)
        self.batch_events = Histogram(
            "trigger_batch_events", "Events per delivery.", buckets=BATCH_EVENTS, registry=registry
        )
        self.delivery_latency = Histogram(
            "trigger_delivery_seconds", "Time of one delivery.", buckets=CALL_SECONDS, registry=registry
        )
        self.in_flight = Gauge("trigger_in_flight", "Events being delivered now.", registry=registry)
        self.paused = Gauge("trigger_paused_partitions", "Partitions that back off now.", registry=registry)
        self.breaker_open = Gauge(
            "trigger_breaker_open",
            "1 while most events fail and the trigger waits instead of dead-lettering them, else 0.",
            registry=registry,
        )


class TriggerMetrics:
    """Metrics of a trigger: one process, which may run several sources."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.up = Gauge("trigger_up", "1 while the trigger runs.", registry=registry)
        self.emitted = Counter("trigger_ticks_total", "Calls made by rate and schedule sources.", registry=registry)
        self.emit_failures = Counter(
            "trigger_tick_failures_total", "Calls of rate and schedule sources that failed.", registry=registry
        )
