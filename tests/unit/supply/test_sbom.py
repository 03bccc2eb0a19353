"""The bill of materials is valid, complete and the same each time."""

import importlib.resources
import json
import re
from typing import Any

import pytest
from jsonschema import Draft7Validator
from referencing import Registry, Resource

from local.supply.locks import LOCKS, read_jars, read_lock
from local.supply.sbom import bill_of_materials

SCHEMAS = importlib.resources.files("cyclonedx.schema") / "_res"


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    """The bill of this checkout."""
    found: dict[str, Any] = json.loads(bill_of_materials())
    return found


def schema(name: str) -> dict[str, Any]:
    """Return one of the schemas that CycloneDX publishes."""
    found: dict[str, Any] = json.loads((SCHEMAS / f"{name}.SNAPSHOT.schema.json").read_text())
    return found


def test_it_is_valid_cyclonedx(bill: dict[str, Any]) -> None:
    """The document follows the published schema of CycloneDX 1.6."""
    parts = {f"{name}.SNAPSHOT.schema.json": schema(name) for name in ("spdx", "jsf-0.82")}
    registry = Registry().with_resources(
        [(uri, Resource.from_contents(each)) for name, each in parts.items() for uri in (name, each["$id"])]
    )
    errors = list(Draft7Validator(schema("bom-1.6"), registry=registry).iter_errors(bill))
    assert errors == []


def test_it_holds_all_that_runs(bill: dict[str, Any]) -> None:
    """Each distribution of the runtime lock and each jar is a component with version and hashes."""
    found = sorted((each["name"], each["version"]) for each in bill["components"])
    locked = [*read_lock(LOCKS[0]), *read_jars()]
    assert found == sorted((each.name, each.version) for each in locked)
    assert [each["name"] for each in bill["components"] if not each["hashes"]] == []


def test_it_tells_what_depends_on_what(bill: dict[str, Any]) -> None:
    """The product depends on starlette, and starlette on anyio, as the lock says."""
    edges = {each["ref"]: each.get("dependsOn", []) for each in bill["dependencies"]}
    assert "pypi/starlette" in edges["product"]
    assert "pypi/anyio" in edges["pypi/starlette"]


def test_it_is_the_same_each_time(bill: dict[str, Any]) -> None:
    """Two calls give the same bytes: no time, no random serial number, no address."""
    text = bill_of_materials()
    assert json.loads(text) == bill
    assert text == bill_of_materials()
    assert "timestamp" not in bill["metadata"]
    assert not re.search(r"https?://(?!cyclonedx\.org)", text)


def test_another_version_is_another_bill(bill: dict[str, Any]) -> None:
    """The serial number follows from the content."""
    fewer = json.loads(bill_of_materials(requirements=read_lock(LOCKS[0])[:-1]))
    assert fewer["serialNumber"] != bill["serialNumber"]
