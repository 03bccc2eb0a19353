"""Faults that last: each is inflicted, held under load, healed, and must then prove that it was there."""

import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tests.chaos.symptoms import Symptom
from tests.support.pipeline import Pipeline

__all__ = ["Frozen", "Outage", "Restarted", "Stopped", "WithSymptom"]


class Outage(Protocol):
    """A fault; made anew for each run of its cell, so that it may remember what it found."""

    def inflict(self, pipeline: Pipeline) -> None:
        """Break something."""

    def heal(self, pipeline: Pipeline) -> None:
        """Repair it, also when only a part of it was broken."""

    def proves(self, pipeline: Pipeline) -> str:
        """Tell what the fault did; `AssertionError` when it did nothing."""


@dataclass(kw_only=True)
class Stopped:
    """Services that are stopped in order, by the supervisor, and started again."""

    services: Sequence[str]

    def inflict(self, pipeline: Pipeline) -> None:
        """Stop them."""
        self._before = pipeline.pids()
        for service in self.services:
            pipeline.local("stop", service)

    def heal(self, pipeline: Pipeline) -> None:
        """Start them."""
        for service in self.services:
            pipeline.local("start", service)

    def proves(self, pipeline: Pipeline) -> str:
        """They are other processes."""
        after = pipeline.pids()
        assert all(after[name] != self._before[name] for name in self.services), "a service was not stopped"
        return f"{', '.join(self.services)} stopped"


@dataclass(kw_only=True)
class Restarted:
    """A service that is stopped and started again and again, as fast as it can be."""

    service: str
    times: int

    def inflict(self, pipeline: Pipeline) -> None:
        """Restart it."""
        self._pids = {pipeline.pids()[self.service]}
        for _ in range(self.times):
            pipeline.local("restart", self.service)
            self._pids.add(pipeline.pids()[self.service])

    def heal(self, pipeline: Pipeline) -> None:
        """It runs already, unless a restart failed."""
        pipeline.local("start", self.service)

    def proves(self, _: Pipeline) -> str:
        """Each restart gave a new process."""
        assert len(self._pids) == self.times + 1, "a restart was none"
        return f"{self.times} restarts"


@dataclass(kw_only=True)
class Frozen:
    """A process that is suspended: its connections stay open and nothing answers."""

    service: str

    def inflict(self, pipeline: Pipeline) -> None:
        """Suspend it."""
        self._pid = pipeline.pids()[self.service]
        os.kill(self._pid, signal.SIGSTOP)

    def heal(self, _: Pipeline) -> None:
        """Let it go on."""
        os.kill(self._pid, signal.SIGCONT)

    def proves(self, pipeline: Pipeline) -> str:
        """It is the same process, so it was suspended and not replaced."""
        assert pipeline.pids()[self.service] == self._pid, "the process was replaced"
        return f"process {self._pid} suspended"


@dataclass(kw_only=True)
class WithSymptom:
    """A fault that shows in a counter of the product."""

    fault: Outage
    symptom: Callable[[Pipeline], Symptom]

    def inflict(self, pipeline: Pipeline) -> None:
        """Note the counter and break something."""
        self._symptom = self.symptom(pipeline)
        self.fault.inflict(pipeline)

    def heal(self, pipeline: Pipeline) -> None:
        """Repair it."""
        self.fault.heal(pipeline)

    def proves(self, pipeline: Pipeline) -> str:
        """The fault says so, and the counter grew."""
        return f"{self.fault.proves(pipeline)}; {self._symptom.proves()}"
