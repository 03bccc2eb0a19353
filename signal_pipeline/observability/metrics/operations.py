"""What a function looks up about the pipeline's state, at an interval; not a number while it cannot be known."""

import math

from prometheus_client import CollectorRegistry, Gauge

__all__ = ["AuditMetrics"]


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
