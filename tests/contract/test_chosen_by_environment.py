"""A platform that gives an image no arguments chooses the role and the port by environment."""

import os
import signal
import subprocess
import sys
from typing import Any

from tests.contract.client import Site, free_port
from tests.contract.conftest import NOWHERE, ROOT, wait_for

COMMAND = [sys.executable, "-m", "signal_pipeline", "serve"]


def environment(**chosen: str) -> dict[str, str]:
    """Return an environment with dependencies that are away."""
    away: dict[str, Any] = {name.upper(): value for name, value in NOWHERE.items()}
    return {name: value for name, value in os.environ.items() if name not in {"ROLE", "PORT"}} | away | chosen


def test_role_and_port() -> None:
    """ROLE says what is served and PORT where, whatever the role's own port setting says."""
    site = Site(role="confirm-outbox", port=free_port(), metrics_port=free_port())
    chosen = environment(
        ROLE=site.role, PORT=str(site.port), CONFIRM_OUTBOX_PORT="1", CONFIRM_OUTBOX_METRICS_PORT=str(site.metrics_port)
    )
    with subprocess.Popen(COMMAND, cwd=ROOT, env=chosen, start_new_session=True) as process:
        try:
            wait_for(site)
            assert site.get("/_/health").json == {"status": "ok", "role": "confirm-outbox"}
        finally:
            process.terminate()
        assert process.wait(30) in {0, -signal.SIGTERM}


def test_no_role() -> None:
    """Without a role nothing is served, and the message names the variable."""
    ended = subprocess.run(
        COMMAND, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode == 2
    assert "ROLE" in ended.stderr


def test_the_connector_is_a_role_too() -> None:
    """ROLE=kafka-connector serves its page at PORT: alive, not ready without a gateway; SIGTERM ends it in order."""
    site = Site(role="kafka-connector", port=free_port(), metrics_port=0)
    chosen = environment(ROLE=site.role, PORT=str(site.port), OPENFAAS_URL="http://127.0.0.1:1")
    with subprocess.Popen(COMMAND, cwd=ROOT, env=chosen, start_new_session=True) as process:
        try:
            wait_for(site)
            assert site.get("/_/health").status == 200
            assert site.get("/_/ready").status == 503
            assert "connector_gateway_up 0.0" in site.get("/metrics").body.decode()
        finally:
            process.terminate()
        assert process.wait(30) == 0
