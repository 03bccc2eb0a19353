"""Processes are known by id and start time."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from local.layout import Layout
from local.processes import Identity, identify, is_alive, send, stop_orphan
from local.registry import Registry


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process of its own group that ends with the test."""
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as process:
        yield process
        process.kill()


def _identity(process: subprocess.Popen[bytes]) -> Identity:
    found = identify(process.pid)
    assert found is not None
    return found


def test_a_stale_pid_is_never_signalled(child: subprocess.Popen[bytes]) -> None:
    """A recorded process whose id was given to another one (other start time) is left alone."""
    stale = replace(_identity(child), start=_identity(child).start - 1)
    assert not is_alive(stale)
    stop_orphan(stale, signal.SIGKILL, seconds=1)
    assert child.poll() is None


def test_the_recorded_process_itself_is_stopped(child: subprocess.Popen[bytes]) -> None:
    """The same id with the same start time is the process that was written down."""
    stop_orphan(_identity(child), signal.SIGTERM, seconds=5)
    assert child.wait(timeout=5) == -signal.SIGTERM


def test_a_process_that_ignores_the_polite_signal_is_killed() -> None:
    """After the given time the whole group is killed."""
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('set', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], start_new_session=True, stdout=subprocess.PIPE) as stubborn:
        assert stubborn.stdout is not None
        stubborn.stdout.readline()
        stop_orphan(_identity(stubborn), signal.SIGTERM, seconds=0.2)
        assert stubborn.wait(timeout=5) == -signal.SIGKILL


def test_an_unreaped_process_counts_as_gone(child: subprocess.Popen[bytes]) -> None:
    """A zombie holds no port and no file: it needs no stopping."""
    send(_identity(child), signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert identify(child.pid) is None


def test_the_registry_returns_only_processes_that_still_run(child: subprocess.Popen[bytes], tmp_path: Path) -> None:
    """A record survives its writer, and what ended or was replaced meanwhile is not in its answer."""
    layout = Layout(state=tmp_path)
    layout.make()
    Registry(layout).record("running", _identity(child))
    Registry(layout).record("replaced", replace(_identity(child), start=1))
    assert Registry(layout).orphans() == {"running": _identity(child)}


def test_a_service_stays_disabled_until_it_is_enabled(tmp_path: Path) -> None:
    """`emit-off` is remembered on disk, `emit-on` forgets it."""
    layout = Layout(state=tmp_path)
    Registry(layout).set_disabled("emit-trigger", disabled=True)
    assert Registry(layout).disabled() == {"emit-trigger"}
    Registry(layout).set_disabled("emit-trigger", disabled=False)
    assert Registry(layout).disabled() == set()
