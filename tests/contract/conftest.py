"""Functions served for the contract tests, in this process and by the framework's own command line."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from signal_pipeline.roles.application import build_application
from signal_pipeline.serving.app import FunctionApp
from signal_pipeline.serving.metrics_page import MetricsPage
from signal_pipeline.serving.server import _WithLifespan
from signal_pipeline.settings import Settings
from signal_pipeline.topology import ROLES, role_named
from tests.contract.client import Site, free_port
from tests.contract.emit_app import EmitToList, RecordingProducer

ROOT = Path(__file__).parents[2]
# Nothing listens on port 1: every dependency is away.
NOWHERE = {"kafka_bootstrap_servers": "127.0.0.1:1", "database_url": "postgresql://nobody:nothing@127.0.0.1:1/none"}
_START_SECONDS = 60
Serve = Callable[..., Site]


def settings_of(role: str, **changes: Any) -> Settings:
    """Return settings with free ports and dependencies that are away, unless they are given."""
    ports = {f"{role_named(role).target}_{kind}": free_port() for kind in ("port", "metrics_port")}
    return Settings(_env_file=None, **(NOWHERE | ports | {"trigger_metrics_url": "-"} | changes))


@contextmanager
def served(app: FunctionApp, role: str, settings: Settings) -> Iterator[Site]:
    """Serve an application in a thread of this process."""
    server = uvicorn.Server(
        uvicorn.Config(
            _WithLifespan(app, app), host="127.0.0.1", port=settings.port(role), lifespan="on", log_level="error"
        )
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    site = Site(role=role, port=settings.port(role), metrics_port=settings.metrics_port(role))
    try:
        wait_for(site)
        yield site
    finally:
        server.should_exit = True
        thread.join(30)


@contextmanager
def commanded(role: str, **changes: str) -> Iterator[Site]:
    """Serve a function by the command that the README shows."""
    site = Site(role=role, port=free_port(), metrics_port=free_port())
    target = role_named(role)
    environment = os.environ | {name.upper(): value for name, value in (NOWHERE | changes).items()}
    environment |= {f"{target.env}_METRICS_PORT": str(site.metrics_port), "TRIGGER_METRICS_URL": "-"}
    command = [
        str(Path(sys.executable).with_name("functions-framework")),
        "--source", f"functions/{role}/main.py", "--target", target.target,
        "--host", "127.0.0.1", "--port", str(site.port),
    ]  # fmt: skip
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            wait_for(site)
            yield site
        finally:
            process.terminate()
            process.wait(30)


def wait_for(site: Site) -> None:
    """Wait until the function answers."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            assert site.get("/health").status == 200
        except OSError:
            assert time.monotonic() < deadline, f"{site.role} did not start"
            threading.Event().wait(0.05)
        else:
            return


@pytest.fixture(scope="session", params=["process", "command"])
def way(request: pytest.FixtureRequest) -> str:
    """How the functions of a test are served."""
    return str(request.param)


@pytest.fixture(scope="session")
def sites(way: str) -> Iterator[Callable[[str], Site]]:
    """Give the site of a role, with every dependency away; each is started once."""
    started: dict[str, Site] = {}
    running: list[Any] = []

    def site_of(role: str) -> Site:
        if role not in started:
            if way == "command":
                manager = commanded(role)
            else:
                settings = settings_of(role)
                manager = served(build_application(role, settings), role, settings)
            started[role] = manager.__enter__()
            running.append(manager)
        return started[role]

    yield site_of
    for manager in running:
        manager.__exit__(None, None, None)


@pytest.fixture(params=[role.name for role in ROLES])
def site(request: pytest.FixtureRequest, sites: Callable[[str], Site]) -> Site:
    """Each function in turn."""
    return sites(request.param)


@pytest.fixture
def producer() -> RecordingProducer:
    """Where records go."""
    return RecordingProducer()


@pytest.fixture
def emit(producer: RecordingProducer) -> Iterator[FunctionApp]:
    """The role emit as an application."""
    function = EmitToList(producer)
    return FunctionApp(function, MetricsPage(function.registry, address="127.0.0.1", port=0))
