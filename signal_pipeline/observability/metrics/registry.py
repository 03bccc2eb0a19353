"""The registries: one for a function's process, one for a trigger's. Their pages become one, so no name is in both."""

from prometheus_client import CollectorRegistry, Info, ProcessCollector, disable_created_metrics

from signal_pipeline import __version__

__all__ = ["function_registry", "trigger_registry"]

# The text format would carry a `_created` series beside every counter, which nothing reads.
disable_created_metrics()  # type: ignore[no-untyped-call]


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
