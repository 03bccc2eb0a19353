"""What a function looks up about the pipeline's state, at an interval; not a number while it cannot be known."""

import math
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Gauge

__all__ = ["AuditMetrics", "OutboxMetrics", "PoolMetrics", "RecoveryMetrics"]


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


class RecoveryMetrics:
    """The dead letters as they stand, the replays that people ordered, and the last audit."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.queue_size = Gauge(
            "dlq_queue_size", "Unread dead letters plus recorded ones without an outcome.", registry=registry
        )
        self.quarantine = Gauge("dlq_quarantine_records", "Records that the quarantine topic holds.", registry=registry)
        self.letters = Gauge(
            "dead_letters",
            "Recorded dead letters by status and class of the last failure.",
            ["status", "failure_class"],
            registry=registry,
        )
        self.oldest = Gauge(
            "dead_letters_oldest_seconds",
            "Time since the first failure of the oldest dead letter with a status; 0 without any.",
            ["status"],
            registry=registry,
        )
        self.jobs = Gauge("replay_jobs", "Replays ordered by people, by state.", ["state"], registry=registry)
        self.last_audit = AuditMetrics(registry)
        self.forget()

    def forget(self) -> None:
        """Show that the dead letters cannot be seen; the last audit stays what it was."""
        self.queue_size.set(math.nan)
        self.quarantine.set(math.nan)
        for gauge in (self.letters, self.oldest, self.jobs):
            gauge.clear()


class PoolMetrics:
    """The database connections of a process, read when Prometheus asks.

    Args:
        registry: Where they are shown.
        usage: Returns how many connections there are, how many of them are lent, and how many callers wait for one.
    """

    def __init__(self, registry: CollectorRegistry, usage: Callable[[], tuple[int, int, int]]) -> None:
        connections = Gauge("db_pool_connections", "Database connections of the pool.", registry=registry)
        lent = Gauge("db_pool_connections_in_use", "Database connections that are in use.", registry=registry)
        waiting = Gauge("db_pool_requests_waiting", "Callers that wait for a connection.", registry=registry)
        for place, gauge in enumerate((connections, lent, waiting)):
            gauge.set_function(lambda place=place: usage()[place])  # type: ignore[misc]  # mypy cannot infer defaults


class OutboxMetrics:
    """The outbox and what publishes it: the slot, and the connector that reads the slot."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, meaning: str) -> Gauge:
            return Gauge(name, meaning, registry=registry)

        self.pending = gauge("outbox_pending_events", "Outbox rows that are not confirmed.")
        self.oldest_pending = gauge(
            "outbox_oldest_pending_seconds", "Age of the oldest outbox row that is not confirmed; 0 without any."
        )
        self.slot_present = gauge("replication_slot_present", "1 when the outbox's replication slot exists, else 0.")
        self.slot_active = gauge("replication_slot_active", "1 while Debezium reads the slot, else 0.")
        self.slot_retained = gauge(
            "replication_slot_retained_bytes", "Log that PostgreSQL keeps for the slot; NaN without a slot."
        )
        self.slot_headroom = gauge(
            "replication_slot_headroom_bytes",
            "Log that may still be written before the slot is lost; NaN without a slot or a limit.",
        )
        self.connector_up = gauge(
            "connector_up", "1 when the connector and its task run, 0 when not or when Connect does not answer."
        )

    def forget(self) -> None:
        """Show that the outbox and its slot cannot be seen."""
        for gauge in (
            self.pending,
            self.oldest_pending,
            self.slot_present,
            self.slot_active,
            self.slot_retained,
            self.slot_headroom,
        ):
            gauge.set(math.nan)
