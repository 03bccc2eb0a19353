"""The local run with its real components, on ports and in a state folder of its own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.layout import ROOT
from local.ports import is_free
from local.processes import Identity, is_alive
from signal_pipeline.settings import Settings

OFFSET = 21_500  # below 32768, where the system takes ports for outgoing connections
SETTINGS = Settings(_env_file=None, port_offset=OFFSET)
PORTS = (SETTINGS.kafka_port, SETTINGS.connect_port, SETTINGS.postgres_port, SETTINGS.redis_port)
DEADLINE = 60.0


def _local(state: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local", *arguments],
        cwd=ROOT,
        env={**os.environ, "PORT_OFFSET": str(OFFSET), "STATE_DIR": str(state)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def _recorded(state: Path) -> dict[str, Identity]:
    entries = json.loads((state / "run" / "processes.json").read_text())
    return {name: Identity(**entry) for name, entry in entries.items()}


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.05)


def _is_ready(state: Path, service: str) -> bool:
    return re.search(rf"^{service} +ready ", _local(state, "status").stdout, re.MULTILINE) is not None


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The state folder of a running infrastructure; everything is stopped afterwards."""
    folder = tmp_path_factory.mktemp("local") / "state"
    started = _local(folder, "up", "--only", "infra")
    try:
        assert started.returncode == 0, started.stdout + started.stderr
        yield folder
    finally:
        _local(folder, "clean")


def test_a_second_up_says_that_it_runs(state: Path) -> None:
    """`up` on a running pipeline shows it and succeeds."""
    again = _local(state, "up", "--only", "infra")
    assert (again.returncode, "it runs already" in again.stdout) == (0, True)


def test_a_killed_component_comes_back(state: Path) -> None:
    """PostgreSQL killed with -9 recovers and is ready again under a new process."""
    old = _recorded(state)["postgres"]
    os.kill(old.pid, signal.SIGKILL)
    _until(lambda: _recorded(state)["postgres"] != old and _is_ready(state, "postgres"))


def test_what_a_killed_supervisor_left_is_stopped_and_its_data_recovers(state: Path) -> None:
    """After kill -9 of the supervisor, the next `up` ends its orphans and starts all components anew."""
    before = _recorded(state)
    os.kill(before["supervisor"].pid, signal.SIGKILL)
    _until(lambda: not is_alive(before["supervisor"]))
    started = _local(state, "up", "--only", "infra")
    assert started.returncode == 0, started.stdout + started.stderr
    assert not any(is_alive(process) for process in before.values())
    assert _is_ready(state, "kafka")


def test_down_leaves_no_process_and_no_port_and_clean_no_data(state: Path) -> None:
    """After `down` every recorded process is gone and every port is free; after `clean` the folder is."""
    before = _recorded(state)
    assert {"postgres", "kafka", "connect", "redis", "prometheus"} <= before.keys()
    assert _local(state, "down").returncode == 0
    assert not any(is_alive(process) for process in before.values())
    assert all(is_free(port, "127.0.0.1") for port in PORTS)
    assert _local(state, "clean").returncode == 0
    assert not state.exists()


def test_a_taken_port_stops_the_start_before_anything_runs(tmp_path: Path) -> None:
    """The error names the port and its setting, the exit status is 1, and no process is left."""
    with socket.create_server(("127.0.0.1", SETTINGS.redis_port)):
        refused = _local(tmp_path / "state", "up", "--only", "redis")
    assert refused.returncode == 1
    assert f"port {SETTINGS.redis_port} is in use by pid {os.getpid()}" in refused.stderr
    assert "set REDIS_PORT to another port" in refused.stderr
    assert not (tmp_path / "state" / "run" / "processes.json").exists()


def test_a_component_that_cannot_start_shows_its_log(tmp_path: Path) -> None:
    """When a service ends before it is ready, its last log lines say why, and nothing is left running."""
    state = tmp_path / "state"
    (state / "data" / "redis").mkdir(parents=True)
    (state / "data" / "redis" / "dump.rdb").write_bytes(b"not a dump")
    refused = _local(state, "up", "--only", "redis")
    assert refused.returncode == 1
    assert "redis did not start: ended with status 1" in refused.stderr
    assert "Wrong signature" in refused.stderr
    assert not (state / "run" / "processes.json").exists()
