"""Every metric that the product declares."""

import inspect
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from signal_pipeline.observability import metrics

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

__all__ = ["declared_families", "exported_series"]


def declared_families() -> "list[Metric]":
    """Return every metric that is declared."""
    families: list[Metric] = []
    for name in metrics.__all__:
        made = getattr(metrics, name)
        if inspect.isclass(made):
            registry, more = CollectorRegistry(), {}
            if "usage" in inspect.signature(made).parameters:
                more = {"usage": lambda: (0, 0, 0)}
            made(registry, **more)
            families += registry.collect()
    families += metrics.function_registry("emit").collect()
    return [*families, *metrics.trigger_registry().collect()]


def exported_series() -> set[str]:
    """Return every series' name that the declared metrics have."""
    endings = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",), "info": ("_info",)}
    return {family.name + ending for family in declared_families() for ending in endings[family.type]}
