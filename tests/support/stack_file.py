"""stack.yml as faas-cli reads it, and stricter: a key that faas-cli would drop in silence is an error here."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Function", "Stack", "read_stack", "substituted"]

# What faas-cli substitutes before it parses: ${NAME} and ${NAME:-default}.
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^{}]*))?\}")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Resources(_Strict):
    """What a function asks for, or may have at most: Kubernetes quantities."""

    cpu: str = Field(pattern=r"^\d+m$")
    memory: str = Field(pattern=r"^\d+(Mi|Gi)$")


class Function(_Strict):
    """One function; the names are those of faas-cli's schema, which differ from the gateway's."""

    lang: str
    handler: str = Field(pattern=r"^\./")
    image: str
    annotations: dict[str, str]
    labels: dict[str, str]
    environment: dict[str, str]
    secrets: list[str] = []
    requests: Resources
    limits: Resources
    readonly_root_filesystem: bool
    skip_build: bool = False


class Provider(_Strict):
    """Where functions are deployed to."""

    name: Literal["openfaas"]
    gateway: str


class Configuration(_Strict):
    """What the build takes beside the handler."""

    copy_paths: list[str] = Field(default=[], alias="copy")


class Stack(_Strict):
    """The whole file."""

    version: Literal[1.0]
    provider: Provider
    configuration: Configuration = Configuration()
    functions: dict[str, Function]


def substituted(text: str, environment: Mapping[str, str]) -> str:
    """Put variables in; an empty one counts as missing, as in a shell.

    Raises:
        ValueError: a `${` is none of the two forms.
    """
    done = _VARIABLE.sub(lambda found: environment.get(found[1]) or found[2] or "", text)
    if "${" in done:
        raise ValueError("a ${ that is neither ${NAME} nor ${NAME:-default}")
    return done


def read_stack(path: Path, environment: Mapping[str, str] | None = None) -> Stack:
    """Read a stack file with the variables of an environment, by default none.

    Raises:
        pydantic.ValidationError: a key is unknown or missing, or a value has another type than faas-cli expects.
    """
    return Stack.model_validate(yaml.safe_load(substituted(path.read_text(), environment or {})))
