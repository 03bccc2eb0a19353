"""The whole pipeline, run by its own commands on ports and data of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.ports import is_free
from local.processes import identify
from signal_pipeline.broker.config import client_config
from signal_pipeline.settings import Settings
from tests.checker import Observer, Report, Sent, check, check_until_sound

__all__ = ["ROOT", "Pipeline", "own_pipeline"]

ROOT = Path(__file__).resolve().parents[2]
_COMMAND_SECONDS = 240
_SETTLE_SECONDS = 60
# Away from every default port, and below the ports that the system gives to clients.
_OFFSETS = range(20_000, 23_600, 300)


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """One pipeline.

    Attributes:
        variables: Its settings as environment variables; nothing else distinguishes it from the default one.
    """

    variables: dict[str, str]

    @property
    def settings(self) -> Settings:
        """The settings that its processes have; of a secured one those of its owner, for a test looks at everything."""
        if not (self.secure / "operator.env").exists():
            return self._read(None)
        owner, administrator = self.settings_of("migrate"), self.settings_of("topics")
        kafka = {name: getattr(administrator, name) for name in ("kafka_username", "kafka_password")}
        return self.settings_of("operator").model_copy(update={"database_url": owner.database_url, **kafka})

    def settings_of(self, part: str) -> Settings:
        """Return the settings of one part of a secured pipeline, its credentials with them."""
        return self._read(self.secure / f"{part}.env")

    def _read(self, file: Path | None) -> Settings:
        fields = {name.lower(): value for name, value in self.variables.items()}
        return Settings(_env_file=file, **fields)  # type: ignore[arg-type]  # pydantic parses the texts

    @property
    def secure(self) -> Path:
        """Where a secured one has its certificates and secrets."""
        return ROOT / self.variables.get("STATE_DIR", ".local") / "secure"

    @property
    def broker(self) -> dict[str, Any]:
        """What a Kafka client of a test needs."""
        return client_config(self.settings)

    @property
    def database_url(self) -> str:
        """Its database."""
        return self.settings.database_url.get_secret_value()

    @property
    def bootstrap(self) -> str:
        """Its broker."""
        return self.settings.kafka_bootstrap_servers

    @property
    def state(self) -> Path:
        """Its data, logs and process ids."""
        return ROOT / self.settings.state_dir

    def run(self, *arguments: str, seconds: float = _COMMAND_SECONDS) -> subprocess.CompletedProcess[str]:
        """Run `python …` with the pipeline's settings and return what it said."""
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, **self.variables},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def up(self, *arguments: str, secured: bool = bool(os.environ.get("SECURE"))) -> str:
        """Start it, secured when it or the whole test run is to be; this process then trusts its authority."""
        said = self.local("up", *(["--secure"] if secured else []), *arguments)
        if secured:
            os.environ["SSL_CERT_FILE"] = str(self.secure / "ca.pem")
        return said

    def local(self, *arguments: str) -> str:
        """Run a command of the local run; an `AssertionError` has its output when it fails."""
        done = self.run("-m", "local", *arguments)
        assert done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def pids(self) -> dict[str, int]:
        """Return the recorded process of each service."""
        recorded = json.loads((self.state / "run" / "processes.json").read_text())
        return {name: process["pid"] for name, process in recorded.items()}

    def check(
        self, sent: tuple[Sent, ...], *, seconds: float = _SETTLE_SECONDS, observer: Observer | None = None
    ) -> Report:
        """Let the independent checker judge what was sent, and seen, once everything had time to arrive."""

        def read() -> Report:
            history = observer.look() if observer else None
            return check(self.database_url, self.broker, sent, stamped=True, recorded=True, history=history)

        report = check_until_sound(read, seconds=seconds)
        # What was seen ends before what was found: only a look at the settled pipeline sees the last commits.
        return read() if observer and report.sound else report


def own_pipeline(name: str, **variables: str) -> Pipeline:
    """Return a pipeline with ports and a state folder that nothing else uses; it is not started.

    Its folder bears the process id of this test run, so that several runs share a checkout, and what a killed run has
    left is found and removed by the next one.
    """
    for folder in ROOT.glob(f".local-{name}-*"):
        if not identify(int(folder.name.rpartition("-")[2])):
            Pipeline(variables={"STATE_DIR": folder.name}).local("clean")
    # Many tests log in as the one user; what limits that is tested where nobody else does.
    state = {"STATE_DIR": f".local-{name}-{os.getpid()}", "LOGIN_ATTEMPTS_PER_MINUTE": "1000"}
    for offset in _OFFSETS:
        found = Pipeline(variables={"PORT_OFFSET": str(offset), **state, **variables})
        settings = found.settings
        ports = [getattr(settings, field) for field in type(settings).model_fields if field.endswith("_port")]
        if all(is_free(port, settings.bind_address) for port in ports):
            return found
    raise LookupError(f"no free ports at any offset of {_OFFSETS}")
