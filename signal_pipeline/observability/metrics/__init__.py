"""Every metric of the product, declared once, grouped by the process that exports it.

A role has one metrics page. Its function serves the page and appends its trigger's page to its own, so the two
processes never declare the same name: the trigger's process metrics carry the prefix `trigger_`.
"""

from signal_pipeline.observability.metrics.connector import ConnectorMetrics
from signal_pipeline.observability.metrics.functions import (
    REFUSALS,
    AuthMetrics,
    CertificateMetrics,
    CoalescingMetrics,
    ConfirmMetrics,
    DetectMetrics,
    EmitMetrics,
    ProcessMetrics,
    RateLimitMetrics,
    ReplayMetrics,
    RequestMetrics,
    RetentionMetrics,
)
from signal_pipeline.observability.metrics.operations import AuditMetrics, OutboxMetrics, PoolMetrics, RecoveryMetrics
from signal_pipeline.observability.metrics.registry import function_registry, trigger_registry
from signal_pipeline.observability.metrics.trigger import DeliveryMetrics, LagMetrics, TriggerMetrics

__all__ = [
    "REFUSALS",
    "AuditMetrics",
    "AuthMetrics",
    "CertificateMetrics",
    "CoalescingMetrics",
    "ConfirmMetrics",
    "ConnectorMetrics",
    "DeliveryMetrics",
    "DetectMetrics",
    "EmitMetrics",
    "LagMetrics",
    "OutboxMetrics",
    "PoolMetrics",
    "ProcessMetrics",
    "RateLimitMetrics",
    "RecoveryMetrics",
    "ReplayMetrics",
    "RequestMetrics",
    "RetentionMetrics",
    "TriggerMetrics",
    "function_registry",
    "trigger_registry",
]
