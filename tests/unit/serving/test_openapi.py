"""The OpenAPI documents name exactly what the roles serve."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator
from prometheus_client import CollectorRegistry
from starlette.routing import Route

from signal_pipeline.errors import ConfigurationError
from signal_pipeline.roles.application import _FUNCTIONS
from signal_pipeline.serving.app import FunctionApp
from signal_pipeline.serving.metrics_page import MetricsPage
from signal_pipeline.serving.openapi import openapi_document
from signal_pipeline.settings import Settings
from tests.support.asgi import call
from tests.support.openapi import Contract

ROLES = sorted(_FUNCTIONS)
FOLDER = Path(__file__).parents[3] / "docs" / "openapi"


def application(role: str) -> FunctionApp:
    """Return the application of a role; what it depends on is not there."""
    registry = CollectorRegistry()
    settings = Settings(
        _env_file=None, kafka_bootstrap_servers="127.0.0.1:9", database_url="postgresql://127.0.0.1:9/x"
    )
    return FunctionApp(_FUNCTIONS[role](settings, registry), MetricsPage(registry, address="127.0.0.1", port=0))


def contract(role: str) -> Contract:
    """Return the document of a role."""
    return Contract(json.loads(openapi_document(role)))


def references(part: Any) -> Iterator[dict[str, Any]]:
    """Yield every reference below a part of a document."""
    if isinstance(part, dict):
        if "$ref" in part:
            yield part
        for value in part.values():
            yield from references(value)
    if isinstance(part, list):
        for value in part:
            yield from references(value)


@pytest.mark.parametrize("role", ROLES)
def test_paths_and_methods_are_the_routes(role: str) -> None:
    """Each route is documented, and nothing else is."""
    router = application(role)._app._app._app.router  # type: ignore[attr-defined]
    routes = [route for route in router.routes if isinstance(route, Route)]
    served = {(method, route.path) for route in routes for method in (route.methods or set()) - {"HEAD"}}
    assert served == set(contract(role).operations())


@pytest.mark.parametrize("role", ROLES)
def test_documents_are_sound(role: str) -> None:
    """It is OpenAPI 3.1; references lead somewhere, path parameters are declared, operations are told in a sentence."""
    described = contract(role)
    assert (described.document["openapi"], described.document["info"]["title"]) == ("3.1.0", role)
    assert all(described.resolved(each) for each in references(described.document))
    for (method, path), operation in described.operations().items():
        assert operation["summary"], (method, path)
        assert all(described.resolved(each)["description"] for each in operation["responses"].values())
        declared = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"}
        assert declared == {part[1:-1] for part in path.split("/") if part.startswith("{")}


@pytest.mark.parametrize("role", ROLES)
def test_documents_pass_the_linter(role: str) -> None:
    """The linter for OpenAPI 3.1 has nothing to say: not of the document, its schemas, parameters and defaults."""
    assert [error.message for error in OpenAPIV31SpecValidator(json.loads(openapi_document(role))).iter_errors()] == []


@pytest.mark.parametrize("role", ROLES)
def test_what_is_declared_is_used(role: str) -> None:
    """A role's own file declares no component that nothing refers to."""
    own = yaml.safe_load((FOLDER / f"{role}.yaml").read_text())["components"]
    used = {part["$ref"] for part in references(json.loads(openapi_document(role)))}
    declared = {f"#/components/{kind}/{name}" for kind in {*own} - {"securitySchemes"} for name in own[kind]}
    assert declared <= used


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_serves_its_document(role: str) -> None:
    """GET /openapi.json needs neither a token nor a dependency, and gives the whole document."""
    app = application(role)
    answer = await call(app, "GET", "/openapi.json")
    await app.close()
    described = contract(role)
    assert (answer.status, answer.json) == (200, described.document)
    described.check("GET", "/openapi.json", answer)


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_without_its_dependencies_answers_as_documented(role: str) -> None:
    """Health, metrics and unreadiness look as the document says."""
    app, described = application(role), contract(role)
    for path in ("/health", "/_/ready", "/ready", "/metrics"):
        described.check("GET", path, await call(app, "GET", path))
    await app.close()
    assert described.unseen("GET", "/health") == set()


def test_without_its_file_there_is_no_document() -> None:
    """A document that an installation lacks is an error that names the file."""
    with pytest.raises(ConfigurationError, match=r"nobody\.yaml"):
        openapi_document("nobody")
