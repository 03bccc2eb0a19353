"""What a service is: everything the supervisor knows about one, as data."""

import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

__all__ = ["NotReady", "Probe", "Service", "Unusable"]


class NotReady(Exception):
    """A probe's finding: the service does not serve yet. Its text says what is missing."""


class Unusable(Exception):
    """A service cannot be set up on this machine; the message says what to do."""


Probe = Callable[[], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Service:
    """One program that the supervisor runs.

    Attributes:
        name: Its name in commands, logs and other services' needs.
        argv: Program and arguments.
        needs: Services that must be ready before it starts, and that stop after it.
        probe: Raises `NotReady` until it serves; None makes it a task, which is done when it ends with status 0.
        prepare: Run before the first start, in a thread: renders configuration, creates data folders.
        env: Variables on top of the supervisor's own environment.
        deployed_env: Returns variables on top of those, asked at each start of the process.
        ports: Setting name (`KAFKA_PORT`) to the port it will listen on.
        address: Where it listens.
        url: What a person opens or connects to; empty when there is nothing to open.
        user: Name of the unprivileged user that runs it when the supervisor is root; None keeps the user.
        stop_signal: Asks it to end cleanly.
        stop_seconds: How long a clean end may take before it is killed.
        ready_seconds: How long its start may take, on a machine that is busy with other things.
    """

    name: str
    argv: tuple[str, ...]
    needs: tuple[str, ...] = ()
    probe: Probe | None = None
    prepare: Callable[[], None] | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    deployed_env: Callable[[], Mapping[str, str]] = dict
    ports: Mapping[str, int] = field(default_factory=dict)
    address: str = "127.0.0.1"
    url: str = ""
    user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 30.0
    ready_seconds: float = 120.0

    @property
    def is_task(self) -> bool:
        """Whether it ends by itself once its work is done."""
        return self.probe is None
