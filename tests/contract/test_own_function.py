"""What `faas-cli new --lang python-signal` leaves can be served at once, and keeps the delivery contract."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.client import Site, free_port
from tests.contract.conftest import ROOT, wait_for
from tests.contract.test_chosen_by_environment import COMMAND, environment
from tests.support.http import Answer

BATCH = {"content-type": "application/cloudevents-batch+json"}


def event(number: int, kind: str = "example") -> dict[str, str]:
    """Return an event."""
    return {"specversion": "1.0", "id": str(number), "source": "test", "type": kind}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The starter under a name of its own, started as an image starts it; its end in order is proven."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "template" / "python-signal" / "function", folder / "functions" / "my-function")
    one = Site(role="my-function", port=free_port(), metrics_port=0)
    chosen = environment(ROLE=one.role, PORT=str(one.port), PYTHONPATH=str(ROOT))
    with subprocess.Popen(COMMAND, cwd=folder, env=chosen, start_new_session=True) as process:
        try:
            wait_for(one)
            yield one
        finally:
            process.terminate()
        assert process.wait(30) in {0, -signal.SIGTERM}


def post(site: Site, body: object, headers: dict[str, str]) -> Answer:
    """Post a JSON body."""
    return site.post("/", headers, json.dumps(body).encode())


def test_probes(site: Site) -> None:
    """Every path that a platform asks for health or readiness answers 200."""
    for path in ("/_/health", "/_/ready", "/health", "/ready", "/health/liveness", "/health/readiness"):
        assert site.get(path).status == 200, path


def test_verdicts(site: Site) -> None:
    """A batch that it stored is 204, one with a failure lists it, and what is no event is a problem."""
    assert post(site, [event(1), event(2)], BATCH).status == 204
    mixed = post(site, [event(1), event(2, "other")], BATCH)
    assert mixed.status == 207
    assert [(one["index"], one["class"]) for one in mixed.json["results"]] == [(1, "invalid")]
    assert post(site, {}, {"content-type": "application/json"}).status == 415


def test_a_name_that_is_nothing(tmp_path: Path) -> None:
    """Neither a role nor a folder: the message lists the roles."""
    command = [sys.executable, "-m", "signal_pipeline", "serve", "nobody"]
    chosen = environment(PYTHONPATH=str(ROOT))
    ended = subprocess.run(command, cwd=tmp_path, env=chosen, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 1
    assert "the roles are emit, process-signal" in ended.stderr
