"""The Bruno collection reaches every operation that a person may call, on the ports that the product has."""

import json
import re
from pathlib import Path

import pytest

from signal_pipeline.serving.openapi import openapi_document
from signal_pipeline.settings import Settings
from signal_pipeline.topology import ROLES

COLLECTION = Path(__file__).parents[3] / "bruno-collection"
REQUESTS = sorted(path for path in COLLECTION.glob("*/*.bru") if "url:" in path.read_text())
# Aliases, and what only triggers and schedules send.
LEFT_OUT = {
    ("POST", "/"),
    ("POST", "/tick"),
    ("POST", "/purge"),
    *(("GET", path) for path in ("/_/health", "/health/liveness", "/_/ready", "/health/readiness")),
}
_REQUEST = re.compile(r"^(get|post) \{\n  url: \{\{(\w+)\}\}([^\s?]*)", re.MULTILINE)


def variable(role: str) -> str:
    """Return how a role is named in the collection's variables."""
    first, *rest = role.split("-")
    return first + "".join(each.title() for each in rest)


def environment(name: str) -> dict[str, str]:
    """Return the variables of an environment."""
    text = (COLLECTION / "environments" / f"{name}.bru").read_text()
    return dict(re.findall(r"^  (\w+): (.*)$", text, re.MULTILINE))


@pytest.mark.parametrize("role", [role.name for role in ROLES])
def test_every_operation_has_a_request(role: str) -> None:
    """Each documented operation is sent at least once."""
    sent = set()
    for path in REQUESTS:
        ((method, target, address),) = _REQUEST.findall(path.read_text())
        if target in {variable(role), f"{variable(role)}Itself", f"{variable(role)}Metrics"}:
            sent.add((method.upper(), address))
    paths = json.loads(openapi_document(role))["paths"]
    wanted = {(method.upper(), path) for path in paths for method in paths[path]} - LEFT_OUT
    missing = {
        (method, path)
        for method, path in wanted
        if not any(
            method == other and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), address) for other, address in sent
        )
    }
    assert missing == set()


@pytest.mark.parametrize("path", REQUESTS, ids=lambda path: str(path.relative_to(COLLECTION)))
def test_every_request_asserts_and_explains(path: Path) -> None:
    """A request checks its answer's status and says what it is for."""
    text = path.read_text()
    assert "\n  res.status: eq " in text
    assert re.search(r"\ndocs \{\n  \S", text)


def test_environments_have_the_ports_of_the_product() -> None:
    """`local` names each role's ports and the development secrets; `gateway` differs by what Traefik routes."""
    settings = Settings(_env_file=None)
    local, gateway = environment("local"), environment("gateway")
    for role in ROLES:
        assert local[f"{variable(role.name)}Itself"] == f"http://127.0.0.1:{role.port}"
        assert local[f"{variable(role.name)}Metrics"] == f"http://127.0.0.1:{role.metrics_port}"
    assert local["apiKey"] == settings.emit_api_key.get_secret_value()
    assert (local["username"], local["password"]) == ("admin", settings.auth_admin_password.get_secret_value())
    routed = {name for name in local if local[name] != gateway[name]}
    assert routed == {"emit", "auth", "replayDlq"}
    assert {gateway[name] for name in routed} == {f"http://127.0.0.1:{settings.gateway_port}"}
    assert local.keys() == gateway.keys()
