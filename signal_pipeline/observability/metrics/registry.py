"""The registries: one for a function's process, one for a trigger's. Their pages become one, so no name is in both."""

import platform

from prometheus_client import CollectorRegistry, Info, ProcessCollector, disable_created_metrics

from signal_pipeline import __version__

__all__ = ["function_registry", "trigger_registry"]

# The text format would carry a `_created` series beside every counter, which nothing reads.
disable_created_metrics()  # type: ignore[no-untyped-call]


def function_registry(role: str, *, commit: str = "") -> CollectorRegistry:
    """Return a registry for the function's process with its build and process metrics.

    Args:
        role: Name of the role.
        commit: What the code was built from; empty when nobody told, and then the page does not tell either.
    """
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    Info("build", "Version of the function's code.", registry=registry).info({"role": role, **_build(commit)})
    return registry


def trigger_registry(*, commit: str = "") -> CollectorRegistry:
    """Return a registry for the trigger's process; its process metrics are named `trigger_process_*`."""
    registry = CollectorRegistry()
    ProcessCollector(namespace="trigger", registry=registry)
    Info("trigger_build", "Version of the trigger's code.", registry=registry).info(_build(commit))
    return registry


def _build(commit: str) -> dict[str, str]:
    known = {"version": __version__, "python": platform.python_version()}
    return {**known, "commit": commit} if commit else known
