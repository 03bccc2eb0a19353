"""Each function, run by the line of the README, answers what clients of the usual kinds post to it."""

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from cloudevents.conversion import to_binary, to_structured
from cloudevents.http import CloudEvent

from tests.integration.platforms.conftest import Sites

KEY = "dev-test-key-123"
ROLES = {"emit": 202, "process-signal": 204, "detect-anomaly": 204, "replay-dlq": 204, "confirm-outbox": 204}
Client = Callable[[str, dict[str, Any], Path], int]


def event() -> dict[str, Any]:
    """Return an event that every role takes; its time is past, so that confirm-outbox waits for no row."""
    return {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": "clients",
        "type": "purchase",
        "subject": "user_7",
        "time": "2020-01-01T00:00:00Z",
        "datacontenttype": "application/json",
        "data": {"session_id": "sess_12345", "data": "sample_data_50"},
    }


def curl(url: str, sent: dict[str, Any], _: Path) -> int:
    """Post with curl, in binary mode."""
    attributes = {name: value for name, value in sent.items() if name not in {"data", "datacontenttype"}}
    headers = [f"ce-{name}: {value}" for name, value in attributes.items()]
    headers += ["content-type: application/json", f"x-api-key: {KEY}"]
    options = [option for header in headers for option in ("-H", header)]
    command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", url, *options, "-d", json.dumps(sent["data"])]
    return int(subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout)


def python_sdk(write: Callable[[CloudEvent], tuple[dict[str, str], bytes]]) -> Client:
    """Post with the CloudEvents SDK for Python."""

    def post(url: str, sent: dict[str, Any], _: Path) -> int:
        attributes = {name: value for name, value in sent.items() if name != "data"}
        headers, body = write(CloudEvent(attributes, sent["data"]))
        request = urllib.request.Request(url, data=body, headers={**headers, "x-api-key": KEY})  # noqa: S310
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - the address is the test's own
            return int(answer.status)

    return post


def javascript_sdk(mode: str) -> Client:
    """Post with the CloudEvents SDK for JavaScript."""

    def post(url: str, sent: dict[str, Any], folder: Path) -> int:
        shutil.copy(Path(__file__).with_name("post_event.mjs"), folder)
        modules = folder / "node_modules"
        if not modules.exists():
            modules.symlink_to(Path(sys.prefix) / "node" / "node_modules")
        command = ["node", "post_event.mjs", url, mode, json.dumps(sent)]
        environment = {**os.environ, "EMIT_API_KEY": KEY}
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=30
        )
        assert done.returncode == 0, done.stderr
        return int(done.stdout)

    return post


CLIENTS: dict[str, Client] = {
    "curl": curl,
    "Python, binary": python_sdk(to_binary),
    "Python, structured": python_sdk(to_structured),
    "JavaScript, binary": javascript_sdk("binary"),
    "JavaScript, structured": javascript_sdk("structured"),
}


@pytest.mark.parametrize("role", ROLES)
def test_every_client_is_answered(role: str, sites: Sites, tmp_path: Path) -> None:
    """An event from each client is a success of the role, and each client writes it so that the role reads it."""
    site = sites(role)["functions-framework"]
    found = {name: client(f"http://127.0.0.1:{site.port}/", event(), tmp_path) for name, client in CLIENTS.items()}
    assert found == dict.fromkeys(CLIENTS, ROLES[role])
