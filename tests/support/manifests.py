"""Manifests of a cluster, judged without one: the schemas of tests/schemas, then what webhooks refuse beyond them.

    kustomize build ─▶ documents ─▶ schema_faults (each by itself) ─▶ rule_faults (each) ─▶ reference_faults (together)

A fault is one line that names the document, the place and what is wrong.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from local.layout import ROOT

__all__ = ["FOLDER", "SCHEMAS", "component", "manifests_of", "name_of", "render", "schema_faults", "tool"]

FOLDER = ROOT / "deploy" / "knative"
SCHEMAS = ROOT / "tests" / "schemas"
Document = dict[str, Any]


def tool(name: str) -> str:
    """Return a program of the cluster's world; skips the test where it is not installed."""
    found = shutil.which(name, path=f"{ROOT / '.local' / 'tools' / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return found or pytest.skip(
        f"{name} is not installed, so nothing was checked here; local/install.sh --dev needs Go"
    )


@cache
def render(folder: Path) -> tuple[Document, ...]:
    """Return what `kubectl apply -k` of a folder applies."""
    built = subprocess.run([tool("kustomize"), "build", str(folder)], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return tuple(yaml.safe_load_all(built.stdout))


def component(name: str, folder: Path) -> tuple[Document, ...]:
    """Return the base with one component, rendered from a kustomization in an empty folder."""
    place = os.path.relpath(FOLDER, folder.resolve())
    lines = {"resources": [f"{place}/base"], "components": [f"{place}/components/{name}"]}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(lines))
    return render(folder)


def manifests_of(folder: Path) -> Iterator[tuple[Path, Document]]:
    """Yield the manifests that stand in files below a folder, each by itself: no kustomizations, no patches."""
    for path in sorted(folder.rglob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            if isinstance(document, dict) and document.get("kind", "Kustomization") not in {
                "Kustomization",
                "Component",
            }:
                yield path, document


def name_of(document: Document) -> str:
    """Return what a fault calls a document."""
    return f"{document.get('kind')} {document.get('metadata', {}).get('name')}"


def schema_faults(document: Document) -> list[str]:
    """Return what its schema says of a document; a kind without a schema is a fault."""
    path = SCHEMAS / _schema_name(document)
    if not path.is_file():
        return [f"{name_of(document)}: no schema {path.name}"]
    validator = Draft202012Validator(json.loads(path.read_text()), registry=_registry())
    return [f"{name_of(document)}: {error.json_path}: {error.message}" for error in validator.iter_errors(document)]


def _schema_name(document: Document) -> str:
    """Return the file that kubeconform finds by `{{.ResourceKind}}{{.KindSuffix}}.json`."""
    group, _, version = str(document.get("apiVersion")).rpartition("/")
    parts: Sequence[str] = [str(document.get("kind")).lower(), group.partition(".")[0], version]
    return "-".join(part for part in parts if part) + ".json"


@cache
def _registry() -> Registry[Any]:
    parts = json.loads((SCHEMAS / "parts.json").read_text())
    return Registry().with_resource("parts.json", Resource.from_contents(parts))
