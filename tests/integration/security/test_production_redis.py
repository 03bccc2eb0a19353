"""Redis in compose's production file: the password comes from a file, and nobody sees it in the arguments."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from local.layout import ROOT
from tests.contract.client import free_port
from tests.support.compose import read
from tests.support.waiting import wait_for

BOX: dict[str, Any] = read(ROOT / "deploy" / "compose" / "production.yml")["services"]["redis"]
PASSWORD = "secret-of-the-tests"


@pytest.fixture
def port() -> int:
    """Where the server listens."""
    return free_port()


@pytest.fixture
def here(tmp_path: Path, port: int) -> Callable[[str], str]:
    """Turn a word of the file into one that means the same on this machine: other paths, another port."""
    configuration = (ROOT / "local" / "compose" / "redis.conf").read_text()
    configuration = configuration.replace("port 6379", f"port {port}").replace("bind 0.0.0.0", "bind 127.0.0.1")
    (tmp_path / "redis.conf").write_text(configuration.replace("dir /data", f"dir {tmp_path}"))
    (tmp_path / "secret").write_text(f"{PASSWORD}\n")
    meant = {
        "$$": "$",
        "/etc/redis.conf": str(tmp_path / "redis.conf"),
        "/run/secrets/redis_password": str(tmp_path / "secret"),
        "redis-cli": f"redis-cli -p {port}",
    }

    def translated(word: str) -> str:
        for there, local in meant.items():
            word = word.replace(there, local)
        return word

    return translated


@pytest.fixture
def server(here: Callable[[str], str]) -> Iterator[subprocess.Popen[bytes]]:
    """The server, started by the file's command."""
    with subprocess.Popen(list(map(here, BOX["command"])), stdout=subprocess.DEVNULL) as process:
        yield process
        process.kill()


def refused(port: int) -> bool:
    """Tell whether the server answers, and refuses who shows no password."""
    try:
        redis.Redis(port=port).ping()
    except redis.AuthenticationError:
        return True
    except redis.ConnectionError:
        return False
    return False


def test_the_password_of_the_file_is_asked_for(
    server: subprocess.Popen[bytes], port: int, here: Callable[[str], str]
) -> None:
    """Without it nothing is answered, with it everything; the health check finds it, and the arguments hold none."""
    wait_for(lambda: refused(port), seconds=10, what="an answer of Redis")
    assert redis.Redis(port=port, password=PASSWORD).ping()
    kind, check = BOX["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    assert subprocess.run(["sh", "-c", here(check)], check=False).returncode == 0
    assert PASSWORD.encode() not in Path(f"/proc/{server.pid}/cmdline").read_bytes()


def test_it_stops_when_it_is_told_to(server: subprocess.Popen[bytes], port: int) -> None:
    """The server is the process that the engine signals, with no shell before it."""
    wait_for(lambda: refused(port), seconds=10, what="an answer of Redis")
    server.terminate()
    assert server.wait(10) == 0
