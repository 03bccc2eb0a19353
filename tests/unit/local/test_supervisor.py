"""The supervisor, with small real processes as services."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from local.layout import Layout
from local.registry import Registry
from local.service import NotReady, Service
from local.supervisor import Refused, Supervisor
from local.unit import State

DEADLINE = 10.0


async def _at_once() -> None:
    """A probe that finds its service ready."""


async def _never() -> None:
    raise NotReady("nothing listens")


def _sleeper(name: str, *needs: str, probe: Callable[[], Awaitable[None]] = _at_once, **more: Any) -> Service:
    return Service(name=name, argv=("sleep", "60"), needs=needs, probe=probe, **more)


def _supervisor(tmp_path: Path, *services: Service) -> Supervisor:
    layout = Layout(state=tmp_path)
    layout.make()
    return Supervisor(services, layout, Registry(layout))


async def _up(supervisor: Supervisor, *names: str) -> list[tuple[str, str]]:
    return [(change["service"], change["state"]) async for change in supervisor.up(names)]


async def _down(supervisor: Supervisor) -> list[tuple[str, str]]:
    return [(change["service"], change["state"]) async for change in supervisor.down()]


def _by_name(supervisor: Supervisor) -> dict[str, dict[str, Any]]:
    return {snapshot["service"]: snapshot for snapshot in supervisor.snapshots()}


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110  the state of another process sets no event
            await asyncio.sleep(0.01)


async def test_a_service_starts_after_its_needs_and_stops_before_them(tmp_path: Path) -> None:
    """Order holds in both directions."""
    supervisor = _supervisor(tmp_path, _sleeper("top", "base"), _sleeper("base"))
    changes = await _up(supervisor, "top")
    assert changes.index(("base", State.READY)) < changes.index(("top", State.STARTING))
    changes = await _down(supervisor)
    assert changes.index(("top", State.STOPPED)) < changes.index(("base", State.STOPPING))


async def test_a_killed_service_is_started_again(tmp_path: Path) -> None:
    """After a kill the service gets a new process, and the restart is counted."""
    supervisor = _supervisor(tmp_path, _sleeper("victim"))
    await _up(supervisor, "victim")
    old = _by_name(supervisor)["victim"]["pid"]
    os.kill(old, signal.SIGKILL)
    await _until(lambda: _by_name(supervisor)["victim"]["pid"] not in {None, old})
    assert _by_name(supervisor)["victim"]["restarts"] == 1
    await _down(supervisor)


async def test_a_service_that_ends_at_once_fails_the_start_with_its_status(tmp_path: Path) -> None:
    """The refusal names the service, whose log tells why."""
    broken = Service(name="broken", argv=(sys.executable, "-c", "raise SystemExit(3)"), probe=_never)
    supervisor = _supervisor(tmp_path, broken)
    with pytest.raises(Refused, match="broken did not start: ended with status 3 before it was ready") as caught:
        await _up(supervisor, "broken")
    assert caught.value.service == "broken"


async def test_a_service_that_stays_silent_fails_with_the_probes_finding(tmp_path: Path) -> None:
    """A start has a limit, and what the probe saw last is told."""
    supervisor = _supervisor(tmp_path, _sleeper("silent", probe=_never, ready_seconds=0.3))
    with pytest.raises(Refused, match=r"silent did not start: not ready within 0.3 s. nothing listens"):
        await _up(supervisor, "silent")
    assert _by_name(supervisor)["silent"]["pid"] is None


async def test_a_task_is_done_when_it_ends_with_zero(tmp_path: Path) -> None:
    """What needs a task starts after its end."""
    task = Service(name="task", argv=("true",))
    supervisor = _supervisor(tmp_path, task, _sleeper("after", "task"))
    changes = await _up(supervisor, "after")
    assert changes.index(("task", State.DONE)) < changes.index(("after", State.STARTING))
    await _down(supervisor)


async def test_a_failed_task_stops_the_start(tmp_path: Path) -> None:
    """Nothing is started on top of a migration that failed."""
    supervisor = _supervisor(tmp_path, Service(name="task", argv=("false",)), _sleeper("after", "task"))
    with pytest.raises(Refused, match="task did not start: ended with status 1 before it was done"):
        await _up(supervisor, "after")
    await _down(supervisor)
    assert _by_name(supervisor)["after"]["state"] == State.STOPPED


async def test_a_disabled_service_is_left_out_of_the_start(tmp_path: Path) -> None:
    """What was switched off stays off when the pipeline is started again."""
    supervisor = _supervisor(tmp_path, _sleeper("emit-trigger"), _sleeper("other"))
    Registry(Layout(state=tmp_path)).set_disabled("emit-trigger", disabled=True)
    await _up(supervisor, "emit-trigger", "other")
    assert _by_name(supervisor)["emit-trigger"]["switched_off"]
    assert _by_name(supervisor)["other"]["state"] == State.READY
    await _down(supervisor)


async def test_a_service_that_others_need_cannot_be_switched_off(tmp_path: Path) -> None:
    """The pipeline could never become ready again."""
    supervisor = _supervisor(tmp_path, _sleeper("base"), _sleeper("top", "base"))
    with pytest.raises(Refused, match="base cannot be switched off: others need it"):
        await supervisor.set_disabled("base", disabled=True)


async def test_a_suspended_service_can_be_stopped(tmp_path: Path) -> None:
    """SIGSTOP defers SIGTERM; a stop must not wait for its limit because of that."""
    supervisor = _supervisor(tmp_path, _sleeper("suspended", stop_seconds=600))
    await _up(supervisor, "suspended")
    os.kill(_by_name(supervisor)["suspended"]["pid"], signal.SIGSTOP)
    async with asyncio.timeout(DEADLINE):
        await _down(supervisor)


async def test_a_removed_service_is_left_out_and_nobody_waits_for_it(tmp_path: Path) -> None:
    """What needs it starts without it; it shows as off, and to start it by name is refused."""
    layout = Layout(state=tmp_path)
    layout.make()
    services = [_sleeper("function"), _sleeper("trigger", "function")]
    supervisor = Supervisor(services, layout, Registry(layout), removed=lambda: {"function"})
    async with asyncio.timeout(DEADLINE):
        await _up(supervisor, "function", "trigger")
    found = _by_name(supervisor)
    assert (found["function"]["state"], found["function"]["switched_off"]) == (State.STOPPED, True)
    assert found["trigger"]["state"] == State.READY
    with pytest.raises(Refused, match="function was removed through the gateway"):
        await supervisor.start("function")
    await _down(supervisor)


async def test_whoever_waits_for_a_service_goes_on_when_it_is_removed(tmp_path: Path) -> None:
    """A function that never becomes ready would hold back everything that needs it."""
    layout, removed = Layout(state=tmp_path), set[str]()
    layout.make()
    services = [_sleeper("function", probe=_never), _sleeper("trigger", "function")]
    supervisor = Supervisor(services, layout, Registry(layout), removed=lambda: removed)
    starting = asyncio.create_task(_up(supervisor, "trigger"))
    await _until(lambda: _by_name(supervisor)["function"]["state"] == State.STARTING)
    removed.add("function")
    await supervisor.stop("function")
    await _until(lambda: _by_name(supervisor)["trigger"]["state"] == State.READY)
    starting.cancel()
    await _down(supervisor)


async def test_each_start_of_a_process_asks_what_was_deployed(tmp_path: Path) -> None:
    """A restart has the variables of now, on top of those of the service."""
    deployed = {"SAID": "first"}
    service = Service(
        name="speaker",
        argv=(sys.executable, "-c", "import os, time; print(os.environ['SAID'], flush=True); time.sleep(60)"),
        probe=_at_once,
        env={"SAID": "own"},
        deployed_env=lambda: deployed,
    )
    supervisor = _supervisor(tmp_path, service)
    log = tmp_path / "logs" / "speaker.log"
    await _up(supervisor, "speaker")
    await _until(lambda: log.read_text() == "first\n")
    deployed["SAID"] = "second"
    await supervisor.restart("speaker")
    await _until(lambda: log.read_text() == "first\nsecond\n")
    await _down(supervisor)
