"""Every way in which a platform serves a function: a process of its own, reached over HTTP."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.layout import ROOT
from signal_pipeline.topology import role_named
from tests.contract.client import Site, free_port
from tests.contract.conftest import wait_for
from tests.integration.functions.func_host import built
from tests.integration.platforms.watchdog import watchdog

__all__ = ["WAYS", "Way"]

_STOP_SECONDS = 40
_BIN = Path(sys.executable).parent


@dataclass(frozen=True, kw_only=True)
class Way:
    """A way of serving.

    Attributes:
        name: Its name in the table.
        start: Serves a role at a site with an environment until the context ends.
    """

    name: str
    start: Callable[[Site, Mapping[str, str]], Iterator[None]]

    @contextmanager
    def serving(self, role: str, environment: Mapping[str, str]) -> Iterator[Site]:
        """Serve a role on free ports."""
        site = Site(role=role, port=free_port(), metrics_port=free_port())
        ours = {f"{role_named(role).env}_METRICS_PORT": str(site.metrics_port), "TRIGGER_METRICS_URL": "-"}
        with contextmanager(self.start)(site, {**environment, **ours}):
            wait_for(site)
            yield site


def _process(command: list[str], environment: Mapping[str, str]) -> Iterator[None]:
    """Run a command from the repository's root until the context ends, and see that it ends by SIGTERM in order."""
    inherited = {name: value for name, value in os.environ.items() if name not in {"ROLE", "PORT"}}
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**inherited, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            yield
        finally:
            process.terminate()
            process.wait(_STOP_SECONDS)


def _image(site: Site, environment: Mapping[str, str]) -> Iterator[None]:
    """Serve as the image's entry point does on OpenFaaS and Knative, and behind compose."""
    command = [sys.executable, "-m", "signal_pipeline", "serve"]
    yield from _process(command, {**environment, "ROLE": site.role, "PORT": str(site.port)})


def _functions_framework(site: Site, environment: Mapping[str, str]) -> Iterator[None]:
    """Serve by functions-framework's own command, as the README shows for one function."""
    target = role_named(site.role).target
    source = f"functions/{site.role}/main.py"
    command = [f"{_BIN}/functions-framework", "--source", source, "--target", target, "--host", "127.0.0.1"]
    yield from _process([*command, "--port", str(site.port)], environment)


def _uvicorn(site: Site, environment: Mapping[str, str]) -> Iterator[None]:
    """Serve functions-framework's application by uvicorn alone, for those who bring their own server."""
    chosen = {
        "FUNCTION_SOURCE": f"functions/{site.role}/main.py",
        "FUNCTION_TARGET": role_named(site.role).target,
        "FUNCTION_SIGNATURE_TYPE": "http",
    }
    command = [f"{_BIN}/uvicorn", "functions_framework.aio:app", "--log-level", "error", "--port", str(site.port)]
    yield from _process(command, {**environment, **chosen})


def _of_watchdog(site: Site, environment: Mapping[str, str]) -> Iterator[None]:
    """Serve the image behind a proxy that forks it, as of-watchdog does in its mode http."""
    upstream = free_port()
    with contextmanager(_process)(
        [sys.executable, "-m", "signal_pipeline", "serve"],
        {**environment, "ROLE": site.role, "PORT": str(upstream)},
    ):
        wait_for(Site(role=site.role, port=upstream, metrics_port=site.metrics_port))
        with watchdog(site.port, upstream):
            yield


def _func(site: Site, environment: Mapping[str, str]) -> Iterator[None]:
    """Serve as func's host runner does: its middleware and server, in an environment without functions-framework."""
    host = built()
    chosen = {
        "PYTHONPATH": str(ROOT / "functions" / site.role),
        "LISTEN_ADDRESS": f"127.0.0.1:{site.port}",
    }
    yield from _process([str(host.python), str(host.main), "http"], {**environment, **chosen})


WAYS = (
    Way(name="image", start=_image),
    Way(name="functions-framework", start=_functions_framework),
    Way(name="uvicorn", start=_uvicorn),
    Way(name="func", start=_func),
    Way(name="of-watchdog", start=_of_watchdog),
)
