"""All services of one pipeline: started in the order of their needs, stopped in reverse."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from typing import Any

from local.graph import dependents, start_layers, with_dependencies
from local.layout import Layout
from local.ports import check_ports
from local.registry import Registry
from local.service import Service
from local.unit import SERVING, SETTLED, State, Unit

__all__ = ["Refused", "Supervisor"]

_LOG = logging.getLogger(__name__)
_RESTARTS_OF_ONE_START = 3  # a service that fails this often while it is waited for will not come by itself
_STARTABLE = {State.STOPPED, State.FAILED}
_Changes = asyncio.Queue[dict[str, Any] | None]  # None ends the reading


class Refused(Exception):
    """A command cannot be done; the message says why and what to do.

    Attributes:
        service: The service whose log tells more; empty when none does.
    """

    def __init__(self, message: str, *, service: str = "") -> None:
        super().__init__(message)
        self.service = service


class Supervisor:
    """Runs services and answers commands about them.

    Args:
        services: The table of services; none is started yet.
        layout: Where logs go.
        registry: Where processes and disabled services are written down.
        removed: Returns the services that the gateway has removed; they stay off until they are deployed again.

    Raises:
        ValueError: the services' needs make no order.
    """

    def __init__(
        self,
        services: Sequence[Service],
        layout: Layout,
        registry: Registry,
        *,
        removed: Callable[[], AbstractSet[str]] = frozenset,
    ) -> None:
        self._needs = {service.name: service.needs for service in services}
        by_name = {service.name: service for service in services}
        self._registry = registry
        self._removed = removed
        self._watchers: set[_Changes] = set()
        self._units: dict[str, Unit] = {}
        for name in (name for layer in start_layers(self._needs) for name in layer):
            needs = [self._units[need] for need in self._needs[name]]
            self._units[name] = Unit(
                by_name[name], needs=needs, layout=layout, registry=registry, notify=self._publish, is_off=self._is_off
            )

    def snapshots(self) -> list[dict[str, Any]]:
        """Return the state of every service, in the order of the table."""
        return [self._snapshot(self._units[name]) for name in self._needs]

    async def up(self, names: Iterable[str]) -> AsyncIterator[dict[str, Any]]:
        """Start services with all they need, and yield each change until all serve.

        Raises:
            Refused: a name is unknown, a port is taken, a service did not become ready, or keeps failing.
        """
        wanted = self._selected(names)
        restarts: Counter[str] = Counter()
        with self._watching() as changes:
            try:
                self._start(wanted)
            except (ValueError, RuntimeError) as exc:
                raise Refused(str(exc)) from exc
            while not all(self._units[name].state in SERVING for name in wanted):
                if (change := await changes.get()) is None:
                    return
                yield change
                restarts[change["service"]] += change["state"] == State.BACKOFF
                gives_up = restarts[change["service"]] >= _RESTARTS_OF_ONE_START
                if change["service"] in wanted and (gives_up or change["state"] in {State.FAILED, State.STOPPED}):
                    name, reason = change["service"], change["reason"] or "it was stopped"
                    raise Refused(f"{name} did not start: {reason}", service=name)

    async def down(self) -> AsyncIterator[dict[str, Any]]:
        """Stop everything, each service after those that need it, and yield each change."""
        with self._watching() as changes:
            stopping = asyncio.gather(*(self._stop_after_dependents(unit) for unit in self._units.values()))
            stopping.add_done_callback(lambda _: changes.put_nowait(None))
            while (change := await changes.get()) is not None:
                yield change
            await stopping

    async def start(self, name: str) -> None:
        """Start one service and what it needs; `Refused` when it does not become ready, or was removed."""
        if name in self._removed():
            raise Refused(f"{name} was removed through the gateway; deploy its function there again")
        async for _ in self.up([name]):
            pass

    async def stop(self, name: str) -> None:
        """Stop one service; those that need it go on and meet its absence."""
        await self._unit(name).stop()

    async def restart(self, name: str) -> None:
        """Stop and start one service; `Refused` when it does not become ready."""
        unit = self._unit(name)
        await unit.stop()
        unit.start()
        if await unit.until(SETTLED) not in SERVING:
            raise Refused(f"{name} did not start: {unit.reason}", service=name)

    async def set_disabled(self, name: str, *, disabled: bool) -> None:
        """Switch a service off or on for good: it stays so when the pipeline is restarted."""
        if dependents(self._needs, self._unit(name).service.name):
            raise Refused(f"{name} cannot be switched off: others need it")
        self._registry.set_disabled(name, disabled=disabled)
        await (self.stop(name) if disabled else self.start(name))

    def _start(self, wanted: Iterable[str]) -> None:
        starting = [self._units[name] for name in wanted if self._units[name].state in _STARTABLE]
        by_address: dict[str, dict[str, int]] = {}
        for unit in starting:
            by_address.setdefault(unit.service.address, {}).update(unit.service.ports)
        for address, ports in by_address.items():
            check_ports(ports, address)
        for unit in starting:
            unit.start()

    async def _stop_after_dependents(self, unit: Unit) -> None:
        for name in dependents(self._needs, unit.service.name):
            await self._units[name].until({State.STOPPED})
        await unit.stop()

    def _selected(self, names: Iterable[str]) -> list[str]:
        try:
            chosen = with_dependencies(self._needs, names)
        except ValueError as exc:
            raise Refused(str(exc)) from exc
        off = self._off()
        return [name for name in self._units if name in chosen and name not in off]

    def _off(self) -> set[str]:
        return {*self._registry.disabled(), *self._removed()}

    def _is_off(self, name: str) -> bool:
        return name in self._off()

    def _unit(self, name: str) -> Unit:
        if name not in self._units:
            raise Refused(f"no service {name!r}; the services are {', '.join(self._units)}")
        return self._units[name]

    def _snapshot(self, unit: Unit) -> dict[str, Any]:
        off = unit.state is State.STOPPED and self._is_off(unit.service.name)
        return {**unit.snapshot(), "switched_off": off}

    def _publish(self, unit: Unit) -> None:
        _LOG.info("%s %s %s", unit.service.name, unit.state, unit.reason)
        for watcher in self._watchers:
            watcher.put_nowait(self._snapshot(unit))

    @contextmanager
    def _watching(self) -> Iterator[_Changes]:
        changes: _Changes = asyncio.Queue()
        self._watchers.add(changes)
        try:
            yield changes
        finally:
            self._watchers.discard(changes)
