"""What the supervisor writes down, so that a later command finds, and can stop, all that it started."""

import json
from dataclasses import asdict

from local.layout import Layout
from local.processes import Identity, is_alive

__all__ = ["Registry"]

_SUPERVISOR = "supervisor"


class Registry:
    """The process identities of one pipeline, in `run/processes.json`; every change is on disk before it returns."""

    def __init__(self, layout: Layout) -> None:
        self._path = layout.run / "processes.json"
        self._disabled = layout.state / "disabled"

    def supervisor(self) -> Identity | None:
        """Return the running supervisor; None when there is none."""
        return self.alive().get(_SUPERVISOR)

    def orphans(self) -> dict[str, Identity]:
        """Return the recorded services that still run, by name."""
        return {name: process for name, process in self.alive().items() if name != _SUPERVISOR}

    def alive(self) -> dict[str, Identity]:
        """Return all recorded processes that still run; ids that a stranger has now are left out."""
        return {name: process for name, process in self._read().items() if is_alive(process)}

    def record_supervisor(self, process: Identity) -> None:
        """Write down who supervises."""
        self.record(_SUPERVISOR, process)

    def record(self, name: str, process: Identity) -> None:
        """Write down a process that was just started."""
        self._write({**self._read(), name: process})

    def forget_all(self) -> None:
        """Remove the record: nothing runs any more."""
        self._path.unlink(missing_ok=True)

    def disabled(self) -> set[str]:
        """Return the services that stay off over restarts of the pipeline."""
        return set(self._disabled.read_text().split()) if self._disabled.exists() else set()

    def set_disabled(self, name: str, *, disabled: bool) -> None:
        """Remember that a service stays off, or no longer does."""
        names = self.disabled() | {name} if disabled else self.disabled() - {name}
        self._disabled.write_text("".join(f"{each}\n" for each in sorted(names)))

    def _read(self) -> dict[str, Identity]:
        try:
            recorded = json.loads(self._path.read_text())
        except FileNotFoundError:
            return {}
        return {name: Identity(**process) for name, process in recorded.items()}

    def _write(self, processes: dict[str, Identity]) -> None:
        partial = self._path.with_suffix(".tmp")
        partial.write_text(json.dumps({name: asdict(process) for name, process in processes.items()}, indent=1))
        partial.replace(self._path)
