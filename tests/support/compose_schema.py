"""The part of the Compose Specification that our files use, as a JSON Schema: all other keys and forms are refused.

Compose itself takes more forms of most keys; one form for each keeps the files alike, and a misspelt key cannot pass.
"""

from typing import Any, Final

__all__ = ["SCHEMA"]


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": 1}


def _map(values: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": values}


_TEXT: Final = {"type": "string", "minLength": 1}
_WORDS: Final = _list({"type": "string"})
_DURATION: Final = {"type": "string", "pattern": r"^(\d+h)?(\d+m)?(\d+s)?$"}
# What YAML would take for a number or a truth value is written as text, or the container gets another spelling of it.
_ENVIRONMENT: Final = {"type": "object", "additionalProperties": {"type": "string"}}
_PATH: Final = r"/[A-Za-z0-9_.][A-Za-z0-9_./-]*"
_DEPENDENCY: Final = _object(
    {
        "condition": {"enum": ["service_healthy", "service_completed_successfully"]},
        "required": {"type": "boolean"},
    },
    "condition",
)
_HEALTH: Final = _object(
    {
        "test": {
            "type": "array",
            "minItems": 2,
            "items": [{"enum": ["CMD", "CMD-SHELL"]}, _TEXT],
            "additionalItems": _TEXT,
        },
        "interval": _DURATION,
        "timeout": _DURATION,
        "start_period": _DURATION,
        "retries": {"type": "integer", "minimum": 1},
    },
    "test",
    "interval",
    "timeout",
    "retries",
)
_SERVICE: Final = _object(
    {
        "image": {"type": "string", "pattern": r"^[a-z][a-z0-9./-]*:[A-Za-z0-9_.-]+(@sha256:[0-9a-f]{64})?$"},
        "build": _object({"context": _TEXT, "dockerfile": _TEXT, "args": _map({"type": "string"})}, "context"),
        "pull_policy": {"enum": ["never"]},
        "profiles": _list({"type": "string", "pattern": r"^([a-zA-Z0-9][a-zA-Z0-9_.-]+)?$"}),
        "command": _WORDS,
        "environment": _ENVIRONMENT,
        "user": {"type": "string", "pattern": r"^(\d+|[a-z]+)$"},
        "read_only": {"const": True},
        "cap_drop": {"const": ["ALL"]},
        "security_opt": {"const": ["no-new-privileges:true"]},
        "tmpfs": _list(
            {"type": "string", "pattern": rf"^{_PATH}:((exec|(uid|gid|mode)=\d+|size=\d+m)(,|$))*size=\d+m$"}
        ),
        "restart": {"enum": ["unless-stopped", "no"]},
        "stop_grace_period": _DURATION,
        "stop_signal": {"type": "string", "pattern": "^SIG[A-Z0-9]+$"},
        "shm_size": {"type": "string", "pattern": r"^\d+mb$"},
        "ports": _list({"type": "string", "pattern": r"^[^:]+(:[^:]+)?:\d+:\d+$"}),
        "volumes": _list({"type": "string", "pattern": rf"^([a-z]+:{_PATH}|[./][^:]*:{_PATH}:ro)$"}),
        "secrets": _list({"type": "string", "pattern": "^[a-z][a-z0-9_]*$"}),
        "networks": _map(_object({"ipv4_address": {"type": "string", "format": "ipv4"}})),
        "depends_on": _map(_DEPENDENCY),
        "healthcheck": _HEALTH,
    },
    "image",
    "restart",
)
_NETWORK: Final = _object({"ipam": _object({"config": _list(_object({"subnet": _TEXT, "ip_range": _TEXT}, "subnet"))})})

SCHEMA: Final = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {
        "name": _TEXT,
        "services": _map(_SERVICE),
        "networks": _map(_NETWORK),
        "volumes": _map({"type": "null"}),
        "secrets": _map(_object({"file": _TEXT}, "file")),
    },
    "patternProperties": {"^x-": {}},
    "required": ["name", "services"],
    "additionalProperties": False,
}
