"""The contracts of the events: JSON Schemas of what is on the topics, and the AsyncAPI document that names them.

`docs/schemas/<name>.schema.json` and `docs/asyncapi/pipeline.yaml` are written by hand. The schemas mean the same in
JSON Schema 2020-12 and in draft 7, which AsyncAPI reads; so what is served as one document holds them as they are.
"""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any, Final

import orjson
import yaml
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from signal_pipeline.errors import ConfigurationError
from signal_pipeline.resources import CONTRACTS
from signal_pipeline.serving.access import KNOWN, Access

__all__ = ["SCHEMAS", "asyncapi_document", "contract_routes", "schema_document"]

SCHEMAS: Final = ("anomaly-event", "dead-letter-headers", "signal")
_OF_A_FILE: Final = ("$schema", "$id")


@cache
def schema_document(name: str) -> bytes:
    """Return one JSON Schema as it stands in its file; `ConfigurationError` when there is none."""
    return _read(f"schemas/{name}.schema.json")


@cache
def asyncapi_document() -> bytes:
    """Return the AsyncAPI document as JSON, whole: the schemas that it refers to are among its components."""
    document: dict[str, Any] = yaml.safe_load(_read("asyncapi/pipeline.yaml"))
    schemas = {name: _component(name) for name in SCHEMAS}
    document["components"] = {**document["components"], "schemas": schemas}
    return orjson.dumps(_moved(document, {f"../schemas/{name}.schema.json": _place(name) for name in SCHEMAS}))


def contract_routes(access: Access) -> Sequence[BaseRoute]:
    """Return the routes `/asyncapi.json` and `/schemas/<name>.json`."""
    schemas = [Route(f"/schemas/{name}.json", access.guarded(partial(_schema, name), KNOWN)) for name in SCHEMAS]
    return [Route("/asyncapi.json", access.guarded(_asyncapi, KNOWN)), *schemas]


async def _asyncapi(_: Request) -> Response:
    return Response(asyncapi_document(), media_type="application/json")


async def _schema(name: str, _: Request) -> Response:
    return Response(schema_document(name), media_type="application/json")


def _component(name: str) -> Any:
    schema = orjson.loads(schema_document(name))
    return _moved({key: value for key, value in schema.items() if key not in _OF_A_FILE}, {"": _place(name)})


def _place(name: str) -> str:
    return f"#/components/schemas/{name}"


def _moved(part: Any, places: dict[str, str]) -> Any:
    """Return a part of a document whose references lead to where their targets stand now."""
    if isinstance(part, list):
        return [_moved(each, places) for each in part]
    if not isinstance(part, dict):
        return part
    return {key: _reference(value, places) if key == "$ref" else _moved(value, places) for key, value in part.items()}


def _reference(reference: str, places: dict[str, str]) -> str:
    file, _, pointer = reference.partition("#")
    return places[file] + pointer if file in places else reference


def _read(name: str) -> bytes:
    try:
        return (CONTRACTS / name).read_bytes()
    except OSError as exc:
        raise ConfigurationError(f"{name} of the contracts is not there") from exc
