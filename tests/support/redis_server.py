"""A Redis server of a test run's own, with as much memory as that of the local run."""

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import redis
import trustme

from local.layout import ROOT
from tests.support.waiting import wait_for

__all__ = ["PASSWORD", "RedisServer"]

_TEMPLATES = ROOT / "local" / "templates"
PASSWORD = "secret-of-the-tests"
_START_SECONDS = 10.0


class RedisServer:
    """A server that can be paused, stopped and started again on its port.

    Args:
        folder: Its own.
        authority: Who signs its certificate; with one it speaks TLS, and nothing else.

    Attributes:
        url: Its address.
        ca_file: PEM file of the authority; empty without one.
    """

    def __init__(self, folder: Path, authority: trustme.CA | None = None) -> None:
        self.port = _free_port()
        self.url = f"{'rediss' if authority else 'redis'}://127.0.0.1:{self.port}/0"
        self.ca_file = ""
        self._folder = folder
        self._ports = {"port": str(self.port)}
        if authority is not None:
            self.ca_file, certificate = str(folder / "ca.pem"), str(folder / "server.pem")
            authority.cert_pem.write_to_path(self.ca_file)
            authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
            files = dict.fromkeys(("tls-cert-file", "tls-key-file", "tls-ca-cert-file"), certificate)
            self._ports = {"port": "0", "tls-port": str(self.port), "tls-auth-clients": "no", **files}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start with nothing in it and wait until it answers."""
        binary = shutil.which("redis-server")
        assert binary is not None, "redis-server is not installed: run local/install.sh"
        options = {**self._ports, "bind": "127.0.0.1", "requirepass": PASSWORD, "save": "", **_memory()}
        arguments = [text for name, value in options.items() for text in (f"--{name}", value)]
        self._process = subprocess.Popen([binary, *arguments], cwd=self._folder, stdout=subprocess.DEVNULL)
        wait_for(self.answers, seconds=_START_SECONDS, what="an answer of Redis")

    def stop(self) -> None:
        """Kill it, also when it is paused."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Let it keep its connections and answer nothing."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """End the pause."""
        self._signal(signal.SIGCONT)

    def client(self) -> "redis.Redis":
        """Return a client to look into it with."""
        tls = {"ssl_ca_certs": self.ca_file} if self.ca_file else {}
        return redis.Redis.from_url(self.url, password=PASSWORD, **tls)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def answers(self) -> bool:
        """Tell whether it answers."""
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False


def _memory() -> dict[str, str]:
    lines = (_TEMPLATES / "redis.conf").read_text().splitlines()
    return dict(line.split() for line in lines if line.startswith("maxmemory"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
