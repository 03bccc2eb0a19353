"""A function as faas-cli shows it: OpenFaaS' FunctionStatus. Pure: facts in, JSON out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from local.deployments import Deployment, Resources
from local.gateway.routes import NAMESPACE
from signal_pipeline import __version__

__all__ = ["Facts", "function_status", "replicas"]

NOT_APPLIED: Final = "local.signal-pipeline.dev/not-applied"  # none of the connector's controls
_STOPPED: Final = frozenset({"stopped", "stopping"})


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of a function.

    Attributes:
        name: Its role.
        deployment: As it was deployed.
        snapshot: What the supervisor says of its process.
        topics: What its trigger consumes.
        calls: How often it was called through the gateway.
        started_at: When its process began; None without one.
    """

    name: str
    deployment: Deployment
    snapshot: Mapping[str, Any]
    topics: tuple[str, ...]
    calls: float
    started_at: datetime | None


def replicas(snapshot: Mapping[str, Any]) -> int:
    """Return how many processes of a function are to run: 1, or 0 when it was stopped."""
    return 0 if snapshot["state"] in _STOPPED else 1


def function_status(facts: Facts, *, usage: bool = False) -> dict[str, Any]:
    """Return the function as JSON; as at OpenFaaS' own gateway what is empty or 0 is left out.

    Args:
        facts: What is known of it.
        usage: Whether to tell its memory.
    """
    deployed, snapshot = facts.deployment, facts.snapshot
    told = {
        "name": facts.name,
        "image": deployed.image or f"localhost:5000/signal-pipeline/{facts.name}:{__version__}",
        "namespace": NAMESPACE,
        "envProcess": deployed.env_process or f"python -m signal_pipeline serve {facts.name}",
        "envVars": deployed.env_vars,
        "constraints": list(deployed.constraints),
        "secrets": list(deployed.secrets),
        "labels": {"faas_function": facts.name, **deployed.labels},
        "annotations": _annotations(facts),
        "limits": _resources(deployed.limits),
        "requests": _resources(deployed.requests),
        "readOnlyRootFilesystem": deployed.read_only_root_filesystem,
        "invocationCount": facts.calls,
        "replicas": replicas(snapshot),
        "availableReplicas": int(snapshot["state"] == "ready"),
        "createdAt": facts.started_at and facts.started_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "usage": {"totalMemoryBytes": snapshot["memory"]} if usage and snapshot["memory"] else None,
    }
    return {name: value for name, value in told.items() if value}


def _annotations(facts: Facts) -> dict[str, str]:
    """Return the annotations, with the topics of the trigger, and what of the variables this machine decides."""
    topics = {"topic": ",".join(facts.topics)} if facts.topics else {}
    left_out = {NOT_APPLIED: ",".join(facts.deployment.not_applied)} if facts.deployment.not_applied else {}
    return {**topics, **facts.deployment.annotations, **left_out}


def _resources(resources: Resources | None) -> dict[str, str]:
    return {} if resources is None else {name: value for name, value in resources.model_dump().items() if value}
