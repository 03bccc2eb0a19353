"""One service at run time.

          needs ready              probe passes             ends
waiting ───────────────▶ starting ──────────────▶ ready ───────────▶ backoff ──▶ starting …
                            │ └─ a task ends with 0 ─▶ done
                            └─ its first start fails ─▶ failed
any ── stop ──▶ stopping ──▶ stopped
"""

import asyncio
import os
import pwd
import signal
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Any

from local.layout import ROOT, Layout
from local.processes import identify, memory_bytes
from local.registry import Registry
from local.service import NotReady, Service, Unusable

__all__ = ["SERVING", "SETTLED", "State", "Unit"]

_PROBE_SECONDS = 0.1  # between two questions of a probe: below what a person notices
_FIRST_PAUSE_SECONDS = 0.5  # before the first restart; doubles up to the longest
_LONGEST_PAUSE_SECONDS = 30.0
_STABLE_SECONDS = 60.0  # a service that lived so long starts again without a longer pause


class State(StrEnum):
    """Where a service is in its life."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    DONE = "done"
    BACKOFF = "backoff"
    FAILED = "failed"
    STOPPING = "stopping"
    STOPPED = "stopped"


SERVING = frozenset({State.READY, State.DONE})
SETTLED = SERVING | {State.BACKOFF, State.FAILED, State.STOPPED}


class _StartFailed(Exception):
    """The service ended or stayed silent instead of becoming ready."""


class Unit:
    """Runs one service: waits for what it needs, starts it, restarts it when it ends, stops it.

    Args:
        service: What to run.
        needs: The units that must serve before it starts.
        layout: Where its log goes.
        registry: Where its process is written down.
        notify: Called after each change of state.
        is_off: Tells whether a service is not to run at all: nobody waits for such a one.
    """

    def __init__(
        self,
        service: Service,
        *,
        needs: Sequence["Unit"],
        layout: Layout,
        registry: Registry,
        notify: Callable[["Unit"], None],
        is_off: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self.service = service
        self.state = State.STOPPED
        self.reason = ""
        self.restarts = 0
        self._needs = needs
        self._layout = layout
        self._registry = registry
        self._notify = notify
        self._is_off = is_off
        self._changed = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._has_served = False
        self._seconds = 0.0

    def start(self) -> None:
        """Begin to keep the service running; returns at once."""
        self._enter(State.WAITING)
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.service.name}")
        self._keeper.add_done_callback(self._on_keeper_end)

    async def stop(self) -> None:
        """End the service cleanly, or by force when it takes longer than its `stop_seconds`."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
            self._keeper = None
        if self.pid is not None:
            self._enter(State.STOPPING)
        await self._end()
        if self.state is not State.STOPPED:
            self._enter(State.STOPPED)

    async def until(self, states: Collection[State]) -> State:
        """Wait until the service is in one of the states, and return it."""
        while self.state not in states:
            await self._changed.wait()
        return self.state

    async def until_serving(self) -> None:
        """Wait until the service serves, or is not to run."""
        while self.state not in SERVING and not self._is_off(self.service.name):
            await self._changed.wait()

    @property
    def pid(self) -> int | None:
        """Process id while the process runs."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process else None

    def snapshot(self) -> dict[str, Any]:
        """Return what a status table shows."""
        return {
            "service": self.service.name,
            "state": self.state,
            "reason": self.reason,
            "url": self.service.url,
            "pid": self.pid,
            "memory": memory_bytes(self.pid) if self.pid else 0,
            "restarts": self.restarts,
            "seconds": round(self._seconds, 2),
        }

    async def _keep(self) -> None:
        for need in self._needs:
            await need.until_serving()
        pause = _FIRST_PAUSE_SECONDS
        while True:
            began = time.monotonic()
            reason = await self._run_once(began)
            if self.state in {State.DONE, State.FAILED}:
                return
            if time.monotonic() - began > _STABLE_SECONDS:
                pause = _FIRST_PAUSE_SECONDS
            self.restarts += 1
            self._enter(State.BACKOFF, f"{reason}; next start in {pause:g} s")
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _run_once(self, began: float) -> str:
        """Run the service from start to end and return why it ended."""
        self._enter(State.STARTING)
        try:
            await self._spawn()
            await self._until_serving()
        except (_StartFailed, Unusable, OSError) as exc:
            await self._end()
            if not self._has_served:
                self._enter(State.FAILED, str(exc))
            return str(exc)
        self._has_served, self._seconds = True, time.monotonic() - began
        if self.service.is_task:
            self._enter(State.DONE)
            return ""
        self._enter(State.READY)
        return f"ended {await self._ending()}"

    async def _spawn(self) -> None:
        if self.service.prepare is not None:
            await asyncio.to_thread(self.service.prepare)
        with (self._layout.logs / f"{self.service.name}.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.service.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                cwd=ROOT,
                env={**os.environ, **self.service.env, **self.service.deployed_env()},
                start_new_session=True,  # a Ctrl-C in the terminal reaches the command, not the service
                **_as_user(self.service.user),
            )
        process = identify(self._process.pid)
        if process is not None:
            self._registry.record(self.service.name, process)

    async def _until_serving(self) -> None:
        ending = asyncio.create_task(self._ending())
        probing = asyncio.create_task(self._probe())
        racers = {ending} if self.service.is_task else {ending, probing}
        try:
            await asyncio.wait(racers, timeout=self.service.ready_seconds, return_when=asyncio.FIRST_COMPLETED)
            if ending.done():
                self._judge_ending(ending.result())
            elif probing in racers and probing.done():
                probing.result()  # a fault of the probe itself is raised here
            else:
                raise _StartFailed(f"not ready within {self.service.ready_seconds:g} s. {self.reason}")
        finally:
            ending.cancel()
            probing.cancel()

    def _judge_ending(self, how: str) -> None:
        assert self._process is not None  # noqa: S101  it has ended, so it was started
        if not self.service.is_task or self._process.returncode != 0:
            raise _StartFailed(f"ended {how} before it was {'done' if self.service.is_task else 'ready'}")

    async def _probe(self) -> None:
        while self.service.probe is not None:
            try:
                await self.service.probe()
            except NotReady as exc:
                self.reason = str(exc)
            else:
                return
            await asyncio.sleep(_PROBE_SECONDS)

    async def _ending(self) -> str:
        """Wait for the end of the process and tell how it ended."""
        assert self._process is not None  # noqa: S101  called after a spawn only
        status = await self._process.wait()
        return f"by {signal.Signals(-status).name}" if status < 0 else f"with status {status}"

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(self.service.stop_signal)
            process.send_signal(signal.SIGCONT)  # one that is suspended would not notice
        try:
            await asyncio.wait_for(process.wait(), self.service.stop_seconds)
        except TimeoutError:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    def _on_keeper_end(self, keeper: asyncio.Task[None]) -> None:
        # A fault of the supervisor's own must show, not leave a service "starting" for ever.
        if not keeper.cancelled() and (fault := keeper.exception()) is not None:
            self._enter(State.FAILED, f"the supervisor failed on it: {fault!r}")

    def _enter(self, state: State, reason: str = "") -> None:
        self.state, self.reason = state, reason
        self._changed.set()
        self._changed = asyncio.Event()
        self._notify(self)


def _as_user(name: str | None) -> dict[str, Any]:
    """Return the subprocess options that drop root; none when nothing is to be dropped."""
    if name is None or os.geteuid() != 0:
        return {}
    account = pwd.getpwnam(name)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
