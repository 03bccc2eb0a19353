"""The supervising process itself: serves commands until it is told to shut down."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from local import control
from local.deployments import Deployments
from local.layout import Layout
from local.logs import rotate_for_ever
from local.processes import identify
from local.registry import Registry
from local.service import Service
from local.supervisor import Refused, Supervisor

__all__ = ["run_daemon"]

_LOG = logging.getLogger(__name__)


class _Daemon:
    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self.ended = asyncio.Event()

    async def handle(self, command: str, services: list[str]) -> AsyncIterator[dict[str, Any]]:
        """Do one command and yield its answers; `Refused` when it cannot be done."""
        _LOG.info("command %s %s", command, " ".join(services))
        match command:
            case "status":
                for snapshot in self._supervisor.snapshots():
                    yield {"kind": "snapshot", **snapshot}
            case "up":
                async for change in self._supervisor.up(services):
                    yield {"kind": "change", **change}
            case "down":
                async for change in self._supervisor.down():
                    yield {"kind": "change", **change}
                self.ended.set()
            case _:
                for name in services:
                    await self._on_one(command, name)

    async def _on_one(self, command: str, name: str) -> None:
        actions: dict[str, Callable[[str], Awaitable[None]]] = {
            "start": self._supervisor.start,
            "stop": self._supervisor.stop,
            "restart": self._supervisor.restart,
            "disable": lambda name: self._supervisor.set_disabled(name, disabled=True),
            "enable": lambda name: self._supervisor.set_disabled(name, disabled=False),
        }
        if command not in actions:
            raise Refused(f"unknown command {command!r}")
        await actions[command](name)


async def _run(services: Sequence[Service], layout: Layout, registry: Registry) -> None:
    deployments = Deployments(layout)
    daemon = _Daemon(Supervisor(services, layout, registry, removed=deployments.removed_services))
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    server = await control.serve(control.listen(layout), daemon.handle)
    rotating = asyncio.create_task(rotate_for_ever(layout.logs))
    waiters = [asyncio.create_task(event.wait()) for event in (daemon.ended, stop)]
    await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
    if not daemon.ended.is_set():
        async for _ in daemon.handle("down", []):
            pass
    server.close()
    control.remove(layout)
    for task in (rotating, *waiters):
        task.cancel()


def run_daemon(services: Sequence[Service], layout: Layout) -> None:
    """Supervise until told to shut down; returns when nothing runs any more."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", force=True
    )
    registry = Registry(layout)
    own = identify(os.getpid())
    assert own is not None  # noqa: S101  this very process runs
    registry.record_supervisor(own)
    asyncio.run(_run(services, layout, registry))
    registry.forget_all()
