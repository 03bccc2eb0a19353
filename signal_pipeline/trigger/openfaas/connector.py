"""Keeps what runs equal to what the gateway has deployed.

    gateway ──functions──▶ plan ──wanted──▶ compare ──▶ start       wanted, and nothing runs for it
                                               │
                                               ├──────▶ stop        gone at two looks, or changed: drained first,
                                               │                    started anew by a look after it has left its group
                                               └──────▶ keep        the same; or wrongly annotated now: the last that
                                                                    was right goes on
    gateway away ──▶ nothing is compared: all goes on as it is, and what is called waits in Kafka

Nothing waits for a drain but the function's own successor. What fails by itself is started again by the next look.
"""

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Protocol

from signal_pipeline.errors import ConfigurationError, DependencyUnavailable
from signal_pipeline.observability.logs import get_logger
from signal_pipeline.observability.metrics import ConnectorMetrics
from signal_pipeline.observability.metrics.connector import RolePages
from signal_pipeline.settings import Settings
from signal_pipeline.trigger.manifest import Trigger
from signal_pipeline.trigger.openfaas.gateway import DeployedFunction
from signal_pipeline.trigger.openfaas.plan import Planner
from signal_pipeline.trigger.openfaas.running import RunningFunction

__all__ = ["Connector", "Functions"]


class Functions(Protocol):
    """Whoever tells which functions there are."""

    async def functions(self) -> tuple[DeployedFunction, ...]:
        """Return them; `DependencyUnavailable` when nobody knows now."""


class Connector:
    """The connector of one gateway.

    Args:
        gateway: Tells which functions there are.
        planner: Tells what each of them gets.
        settings: Broker, rate, seconds between two looks.
        metrics: Its own metrics.
        pages: Where the metrics of each function go.
    """

    def __init__(
        self, gateway: Functions, planner: Planner, settings: Settings, metrics: ConnectorMetrics, pages: RolePages
    ) -> None:
        self._gateway = gateway
        self._planner = planner
        self._settings = settings
        self._metrics = metrics
        self._pages = pages
        self._log = get_logger()
        self._running: dict[str, RunningFunction] = {}
        self._refused: dict[str, str] = {}
        self._missed: set[str] = set()  # not there at the last look, though something runs for them
        self._known: bool | None = None  # whether the gateway answered the last question; None before the first

    async def ready(self) -> bool:
        """Tell whether the gateway answered the last question and everything that runs is ready."""
        return self._known is True and all([await one.ready() for one in self._running.values()])

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then drain everything."""
        ending = asyncio.create_task(self._stop_all(stop))
        try:
            while not stop.is_set():
                await self._look()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), self._settings.openfaas_refresh_seconds)
        finally:
            ending.cancel()
            await self._end()

    async def _stop_all(self, stop: asyncio.Event) -> None:
        """Begin to drain at once, also while a gateway that hangs keeps a look waiting."""
        await stop.wait()
        for running in self._running.values():
            running.stop()

    async def _look(self) -> None:
        self._reap()
        try:
            found = await self._gateway.functions()
        except DependencyUnavailable as exc:
            self._show_gateway(up=False, detail=str(exc))
            return
        self._show_gateway(up=True)
        self._compare(self._wanted(found))

    def _wanted(self, found: Iterable[DeployedFunction]) -> dict[str, tuple[Trigger, ...]]:
        wanted: dict[str, tuple[Trigger, ...]] = {}
        refused: dict[str, str] = {}
        for function in found:
            try:
                triggers = self._planner.triggers_of(function)
            except ConfigurationError as exc:
                refused[function.name] = str(exc)
                running = self._running.get(function.name)
                triggers = running.triggers if running else ()
            if triggers:
                wanted[function.name] = triggers
        for name, detail in refused.items():
            if self._refused.get(name) != detail:
                self._log.error("function_refused", function=name, detail=detail)
        self._refused = refused
        self._metrics.refused.set(len(refused))
        return wanted

    def _compare(self, wanted: dict[str, tuple[Trigger, ...]]) -> None:
        gone = self._running.keys() - wanted.keys()
        for name, running in self._running.items():
            if name in gone and name not in self._missed:
                continue  # a gateway that has just started may not know all of its functions yet
            if not running.stopping and wanted.get(name) != running.triggers:
                self._log.info("function_changed" if name in wanted else "function_gone", function=name)
                running.stop()
        self._missed = set(gone)
        for name, triggers in wanted.items():
            if name not in self._running:
                self._start(name, triggers)
        self._metrics.functions.set(len(self._running))

    def _start(self, name: str, triggers: tuple[Trigger, ...]) -> None:
        self._log.info("function_found", function=name, triggers=[one.name for one in triggers])
        self._running[name] = RunningFunction(name, triggers, self._settings, self._pages.add(name))

    def _reap(self) -> None:
        for name, running in list(self._running.items()):
            if running.task.done():
                if not running.task.cancelled():
                    running.task.exception()  # it is logged already; asked for, so that nobody warns
                del self._running[name]
                self._pages.remove(name)

    def _show_gateway(self, *, up: bool, detail: str = "") -> None:
        if up and not self._known:
            self._log.info("gateway_answers")
        if not up and self._known is not False:
            self._log.warning("gateway_away", detail=detail)
        self._known = up
        self._metrics.gateway_up.set(up)

    async def _end(self) -> None:
        for running in self._running.values():
            running.stop()
        await asyncio.gather(*(one.task for one in self._running.values()), return_exceptions=True)
        self._reap()
