"""The commands on a whole pipeline: up, down, status, clean."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

from local import console, control
from local.deployments import Deployments
from local.layout import ROOT, Layout
from local.processes import is_alive, stop_orphan
from local.registry import Registry
from local.supervisor import Refused
from signal_pipeline.secured_state import secured_folder

__all__ = ["clean", "down", "status", "up"]

_SUPERVISOR_START_SECONDS = 15.0
_SUPERVISOR_STOP_SECONDS = 90.0
# What a killed supervisor left has had no orderly end: it gets this long for its own.
_ORPHAN_SECONDS = 10.0


def up(layout: Layout, services: Sequence[str]) -> None:
    """Start services with what they need, showing progress; with a fresh supervisor all or nothing.

    Raises:
        Refused: what did not start and why; nothing that this call started runs any more.
    """
    layout.make()
    began = time.monotonic()
    was_running, changes = _ensure_supervisor(layout), 0
    try:
        for change in control.request(layout, "up", list(services)):
            console.show_change(change)
            changes += 1
    except (Refused, control.SupervisorGone, KeyboardInterrupt) as exc:
        if not was_running:
            if changes:
                console.OUT.print("stopping what was started")
            down(layout, quiet=True)
        if isinstance(exc, KeyboardInterrupt):
            raise Refused("interrupted") from exc
        if isinstance(exc, control.SupervisorGone):
            raise Refused(f"{exc}; see {layout.logs / 'supervisor.log'}") from exc
        raise
    console.OUT.print(f"up in {time.monotonic() - began:.1f} s\n" if changes else "it runs already\n")
    status(layout)
    console.show_next()


def down(layout: Layout, *, quiet: bool = False) -> None:
    """Stop everything, whatever state the supervisor is in; afterwards none of its processes is left."""
    registry = Registry(layout)
    supervisor = registry.supervisor()
    if supervisor is not None:
        with suppress(control.SupervisorGone):
            stopping = set()
            for change in control.request(layout, "down"):
                # What did not run, a task that is done above all, needs no line.
                if change["state"] == "stopping":
                    stopping.add(change["service"])
                elif change["service"] in stopping and not quiet:
                    console.show_change(change)
        stop_orphan(supervisor, signal.SIGTERM, _SUPERVISOR_STOP_SECONDS)
    elif not quiet and not registry.orphans():
        console.OUT.print("nothing runs")
    _stop_orphans(registry)
    registry.forget_all()


def status(layout: Layout) -> bool:
    """Print the table of services; false when the pipeline is down."""
    try:
        console.show_table(control.request(layout, "status"))
    except control.SupervisorGone as exc:
        console.OUT.print(str(exc))
        return False
    return True


def clean(layout: Layout) -> None:
    """Stop everything and delete all data, logs and rendered configuration; downloads stay."""
    down(layout, quiet=True)
    for folder in (
        layout.data,
        layout.logs,
        layout.run,
        layout.config,
        secured_folder(layout.state),
        layout.postgres_fallback,
    ):
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            raise Refused(f"{folder} cannot be deleted; it may belong to another user")
    (layout.state / "disabled").unlink(missing_ok=True)
    Deployments(layout).forget()
    for folder in (layout.state, layout.postgres_fallback.parent):
        with suppress(OSError):
            folder.rmdir()  # only when nothing else is in it
    console.OUT.print("data, logs and configuration deleted")


def _ensure_supervisor(layout: Layout) -> bool:
    """Start the supervisor unless it runs; tell whether it ran before."""
    registry = Registry(layout)
    if registry.supervisor() is not None:
        return True
    if registry.orphans():
        console.OUT.print("the last supervisor was killed; stopping what it left")
        _stop_orphans(registry)
    with (layout.logs / "supervisor.log").open("ab") as log:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "local", "supervise"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=ROOT,
            env={**os.environ, "STATE_DIR": str(layout.state)},
            start_new_session=True,
        )
    deadline = time.monotonic() + _SUPERVISOR_START_SECONDS
    while not _answers(layout):
        if daemon.poll() is not None or time.monotonic() > deadline:
            console.show_log_end(layout.logs / "supervisor.log")
            raise Refused("the supervisor did not start")
        time.sleep(0.02)
    return False


def _answers(layout: Layout) -> bool:
    try:
        list(control.request(layout, "status"))
    except control.SupervisorGone:
        return False
    return True


def _stop_orphans(registry: Registry) -> None:
    orphans = registry.orphans()
    # Those that were started last need the others, so they go first.
    for process in reversed(orphans.values()):
        stop_orphan(process, signal.SIGINT if process == orphans.get("postgres") else signal.SIGTERM, _ORPHAN_SECONDS)
    left = [str(process.pid) for process in orphans.values() if is_alive(process)]
    if left:
        raise Refused(f"processes {', '.join(left)} do not end; do they belong to another user?")
