"""The functions as things to deploy, scale and remove: the file of deployments, and the supervisor's processes.

deploy ──▶ written down ──▶ restarted, or started with its trigger ──▶ ready within some seconds, or later
remove ──▶ written down ──▶ the trigger stops, then the function
scale  ──▶ 0 stops the function, until it is started or the pipeline is; 1 starts it; its trigger waits meanwhile
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from local import control
from local.deployments import Deployment, Deployments
from local.gateway.routes import NAMESPACE
from local.gateway.statuses import Facts, function_status, replicas
from local.layout import ROOT, Layout
from local.processes import started_at
from local.supervisor import Refused
from signal_pipeline.observability.logs import get_logger
from signal_pipeline.observability.metrics.gateway import GatewayMetrics
from signal_pipeline.settings import Settings
from signal_pipeline.topology import ROLES, role_named
from signal_pipeline.trigger.manifest import KafkaTrigger, load_triggers

__all__ = ["Functions"]

_WAIT_SECONDS: Final = 20.0  # faas-cli waits for 60; whoever is not ready by then comes up in its own time


class Functions:
    """The functions of one pipeline.

    Args:
        settings: Where manifests are resolved.
        layout: Whose supervisor and deployments.
        metrics: Knows how often each was called.
    """

    def __init__(self, settings: Settings, layout: Layout, metrics: GatewayMetrics) -> None:
        self._layout = layout
        self._metrics = metrics
        self._deployments = Deployments(layout)
        self._topics = {role.name: _topics(role.name, settings) for role in ROLES if role.trigger_port is not None}
        self._changes = {role.name: asyncio.Lock() for role in ROLES}

    def is_deployed(self, name: str) -> bool:
        """Tell whether a role is there and was not removed."""
        return name in self._changes and not self._deployments.of(name).removed

    async def statuses(self, *, usage: bool = False) -> list[dict[str, Any]]:
        """Return every deployed function as JSON; `SupervisorGone` when nobody knows."""
        snapshots = await self._snapshots()
        names = [role.name for role in ROLES if self.is_deployed(role.name)]
        return [function_status(self._facts(name, snapshots[name]), usage=usage) for name in names]

    async def count_replicas(self) -> None:
        """Bring the gauge of replicas up to date; a removed function has none, and no gauge."""
        snapshots = await self._snapshots()
        self._metrics.replicas.clear()
        for name in filter(self.is_deployed, self._changes):
            self._metrics.replicas.labels(f"{name}.{NAMESPACE}").set(replicas(snapshots[name]))

    async def deploy(self, name: str, deployment: Deployment) -> None:
        """Give a function a new process with what was deployed; it may still be starting when this returns."""
        async with self._changes[name]:
            was_removed = not self.is_deployed(name)
            self._deployments.write(name, deployment)
            get_logger().info("function_deployed", function=name, applied=sorted(deployment.applied))
            wanted = [("start", name), ("start", f"{name}-trigger")] if was_removed else [("restart", name)]
            await self._within_reason([each for each in wanted if self._exists(each[1])])

    async def remove(self, name: str) -> None:
        """Stop a function and its trigger; both stay away until it is deployed again."""
        async with self._changes[name]:
            self._deployments.write(name, Deployment(removed=True))
            get_logger().info("function_removed", function=name)
            for service in filter(self._exists, (f"{name}-trigger", name)):
                await control.ask(self._layout, "stop", [service])

    async def scale(self, name: str, wanted: int) -> None:
        """Stop a function, or start it and wait some seconds for it."""
        async with self._changes[name]:
            get_logger().info("function_scaled", function=name, replicas=wanted)
            if wanted:
                await self._within_reason([("start", name)])
            else:
                await control.ask(self._layout, "stop", [name])

    async def _within_reason(self, commands: Sequence[tuple[str, str]]) -> None:
        """Do commands in turn; what takes longer, or does not come up, is the function's state and no fault of this."""
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                for command, service in commands:
                    await control.ask(self._layout, command, [service])
        except (TimeoutError, Refused) as exc:
            get_logger().warning("function_not_ready", reason=str(exc) or f"not within {_WAIT_SECONDS:g} s")

    async def _snapshots(self) -> dict[str, dict[str, Any]]:
        return {each["service"]: each for each in await control.ask(self._layout, "status", [])}

    def _facts(self, name: str, snapshot: dict[str, Any]) -> Facts:
        pid = snapshot["pid"]
        began = started_at(pid) if pid else None
        return Facts(
            name=name,
            deployment=self._deployments.of(name),
            snapshot=snapshot,
            topics=self._topics.get(name, ()),
            calls=self._metrics.calls_of(f"{name}.{NAMESPACE}"),
            started_at=None if began is None else datetime.fromtimestamp(began, UTC),
        )

    def log_of(self, name: str) -> Path:
        """Return where the log of a function is."""
        return self._layout.logs / f"{name}.log"

    @staticmethod
    def _exists(service: str) -> bool:
        name = service.removesuffix("-trigger")
        return name == service or role_named(name).trigger_port is not None


def _topics(role: str, settings: Settings) -> tuple[str, ...]:
    triggers = load_triggers(role, settings, folder=ROOT / "triggers")
    return tuple(topic for trigger in triggers if isinstance(trigger, KafkaTrigger) for topic in trigger.topics)
