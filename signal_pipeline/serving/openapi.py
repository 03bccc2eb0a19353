"""The OpenAPI documents, one a role.

`docs/openapi/<role>.yaml` is written by hand and completed by `service.yaml`, what every role answers.
"""

from functools import cache
from typing import Any, Final

import orjson
import yaml

from signal_pipeline.errors import ConfigurationError
from signal_pipeline.resources import CONTRACTS

__all__ = ["openapi_document"]

_FOLDER: Final = CONTRACTS / "openapi"


@cache
def openapi_document(role: str) -> bytes:
    """Return the whole document of a role as JSON; `ConfigurationError` when a file of it is not there."""
    document, service = _read(role), _read("service")
    components, shared = document["components"], service["components"]
    whole = {
        **document,
        "paths": {**document["paths"], **service["paths"]},
        "components": {kind: {**shared.get(kind, {}), **components.get(kind, {})} for kind in {*shared, *components}},
    }
    return orjson.dumps(whole, option=orjson.OPT_SORT_KEYS)


def _read(name: str) -> dict[str, Any]:
    path = _FOLDER / f"{name}.yaml"
    try:
        document: dict[str, Any] = yaml.safe_load(path.read_text())
    except OSError as exc:
        raise ConfigurationError(f"{path.name} of the OpenAPI documents is not there") from exc
    return document
