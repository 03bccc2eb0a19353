"""Builds and starts a function folder the way func's host builder and runner do, without func.

    scaffolding/ ── pyproject.toml: func-python, and `function` from f ──pip install .──▶ an environment of its own
        ├─ f ──▶ functions/<role>
        └─ service/main.py: hands the function's `new` to the middleware

The environment is kept in .local and made anew when what it depends on changes; it never holds functions-framework.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from signal_pipeline.topology import role_named
from tests.contract.client import Site, free_port
from tests.contract.conftest import NOWHERE, ROOT
from tests.support.waiting import wait_for

MIDDLEWARE = "func-python==0.8.1"
_BUILDERS = ("hatchling==1.33.0",)
_PYPROJECT = f"""
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "service"
version = "0.1.0"
dependencies = ["{MIDDLEWARE}", "function @ {{root:uri}}/f"]
[tool.hatch.metadata]
allow-direct-references = true
[tool.hatch.build.targets.wheel]
packages = ["service"]
"""
_MAIN = """
import sys
from importlib import import_module
from function import new
if __name__ == "__main__":
    import_module(f"func_python.{sys.argv[1]}").serve(new)
"""


@dataclass(frozen=True, kw_only=True)
class Host:
    """An environment with a function in it.

    Attributes:
        python: Its interpreter.
        main: The scaffolding's program.
        folder: Where it runs: outside the repository.
    """

    python: Path
    main: Path
    folder: Path


@cache
def built() -> Host:
    """Return an environment into which process-signal was installed, with the middleware beside it.

    The other roles differ in a file of three lines, which comes first on their path. Skips the test where pip cannot
    reach its index for the first such environment.
    """
    folder = Path(_folder().name)
    scaffolding = folder / "scaffolding"
    (scaffolding / "service").mkdir(parents=True)
    (scaffolding / "pyproject.toml").write_text(_PYPROJECT)
    (scaffolding / "service" / "__init__.py").touch()
    (scaffolding / "service" / "main.py").write_text(_MAIN)
    (scaffolding / "f").symlink_to(ROOT / "functions" / "process-signal")
    python = _environment()
    _pip(python, "uninstall", "--yes", "service", "function", "signal-pipeline")
    _pip(python, "install", "--no-build-isolation", str(scaffolding))
    return Host(python=python, main=scaffolding / "service" / "main.py", folder=folder)


@cache
def _folder() -> "tempfile.TemporaryDirectory[str]":
    """Return a folder outside the repository, which is removed with this process."""
    return tempfile.TemporaryDirectory(prefix="signal-pipeline-func-")


@contextmanager
def started(
    host: Host, role: str, *, middleware: str = "http", **settings: str
) -> Iterator[tuple[Site, "subprocess.Popen[str]"]]:
    """Start a role with the scaffolding's program and wait until it is alive."""
    site = Site(role=role, port=free_port(), metrics_port=free_port())
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "functions" / role),
        "LISTEN_ADDRESS": f"127.0.0.1:{site.port}",
        "TRIGGER_METRICS_URL": "-",
        "REDIS_URL": "-",
        f"{role_named(role).env}_METRICS_PORT": str(site.metrics_port),
        **{name.upper(): value for name, value in (NOWHERE | settings).items()},
    }
    command = [str(host.python), str(host.main), middleware]
    log = host.folder / f"{role}.log"
    with (
        log.open("w") as out,
        subprocess.Popen(
            command, cwd=host.folder, env=environment, stdout=out, stderr=out, text=True, start_new_session=True
        ) as process,
    ):
        try:
            wait_for(lambda: _alive(site, process, log), seconds=60, what=f"{role} to be alive")
            yield site, process
        finally:
            process.kill()


def _alive(site: Site, process: "subprocess.Popen[str]", log: Path) -> bool:
    if process.poll() is not None:
        pytest.fail(log.read_text())
    try:
        return site.get("/health/liveness").status == 200
    except OSError:
        return False


def _environment() -> Path:
    """Return the interpreter of the kept environment, with everything but our own code in it."""
    sources = f"{(ROOT / 'pyproject.toml').read_text()}{MIDDLEWARE}{_BUILDERS}{sys.version}"
    folder = ROOT / ".local" / f"func-{hashlib.sha256(sources.encode()).hexdigest()[:12]}"
    python = folder / "bin" / "python"
    if not (folder / ".complete").exists():
        venv.create(folder, with_pip=True, clear=True)
        _pip(python, "install", MIDDLEWARE, *_BUILDERS, str(ROOT))
        (folder / ".complete").touch()
    return python


def _pip(python: Path, *arguments: str) -> None:
    command = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and "No matching distribution" in done.stderr:
        pytest.skip(f"pip cannot reach its index, so no function was built: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr
