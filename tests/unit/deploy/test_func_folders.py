"""Every function folder is one that func takes: func.yaml, a distribution `function`, a package that exports `new`."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.layout import ROOT
from signal_pipeline.settings import Settings
from signal_pipeline.topology import ROLES, Role

# What queue-proxy, the sidecar of every Knative pod, listens on in the pod's own network.
SIDECAR_PORTS = {8008, 8012, 8013, 8022, 8112, 9090, 9091}
EVERY_ROLE = pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)


def folder(role: Role) -> Path:
    """Return a role's folder."""
    return ROOT / "functions" / role.name


def document(role: Role) -> dict[str, Any]:
    """Return its func.yaml."""
    found: dict[str, Any] = yaml.safe_load((folder(role) / "func.yaml").read_text())
    return found


@EVERY_ROLE
def test_func_yaml(role: Role) -> None:
    """What func 1.22 reads: built on the host, it leaves the events to the function, and is asked where it answers."""
    func = document(role)
    assert (func["specVersion"], func["name"], func["runtime"]) == ("0.36.0", role.name, "python")
    assert func["created"]  # without it func takes the folder for no function
    assert (func["invoke"], func["build"]) == ("http", {"builder": "host"})
    assert func["deploy"]["healthEndpoints"] == {"liveness": "/health/liveness", "readiness": "/health/readiness"}
    assert func.keys() == {"specVersion", "name", "runtime", "created", "invoke", "build", "run", "deploy"}
    assert func["deploy"].keys() == {"annotations", "labels", "options", "healthEndpoints"}
    assert func["deploy"]["options"].keys() == {"scale", "resources"}


@EVERY_ROLE
def test_environment(role: Role) -> None:
    """ROLE chooses, in an image of ours; every other variable is a setting; `func run` needs none from outside."""
    given = {one["name"]: one["value"] for one in document(role)["run"]["envs"]}
    assert given.pop("ROLE") == role.name
    assert {name.lower() for name in given} <= Settings.model_fields.keys()
    assert not [value for value in given.values() if "{{" in value]


@EVERY_ROLE
def test_metrics_page(role: Role) -> None:
    """It listens where the sidecar does not, and the pod says where, with the labels that alerts look for."""
    func = document(role)
    given = {one["name"]: one["value"] for one in func["run"]["envs"]}
    port = given[f"{role.env}_METRICS_PORT"]
    assert int(port) not in SIDECAR_PORTS
    assert func["deploy"]["annotations"] == {"prometheus.io/port": port}
    assert {one["key"]: one["value"] for one in func["deploy"]["labels"]} == {
        "app.kubernetes.io/part-of": "signal-pipeline",
        "role": role.name,
    }


@EVERY_ROLE
def test_distribution(role: Role) -> None:
    """The folder is the distribution `function`, whose one dependency is the shared package of this repository."""
    project = tomllib.loads((folder(role) / "pyproject.toml").read_text())
    assert project["project"]["name"] == "function"
    assert project["project"]["dependencies"] == ["signal-pipeline @ {root:uri}/../.."]
    assert project["tool"]["hatch"]["metadata"] == {"allow-direct-references": True}


@EVERY_ROLE
def test_entry(role: Role) -> None:
    """The package exports `new`, names its own role, and has no logic: at most 40 lines, no statement but the one."""
    text = (folder(role) / "function" / "__init__.py").read_text()
    assert re.findall(r'application\("([a-z-]+)"\)', text) == [role.name]
    assert '__all__ = ["new"]' in text
    assert len(text.splitlines()) <= 40
