"""Compose's files as compose reads them: strict YAML, variables, profiles, and what a container needs of others.

The rules are those of compose v2; where `docker compose` is installed the tests ask it to agree.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

__all__ = ["RESET", "Unset", "enabled", "interpolated", "merged", "read", "start_order"]

RESET: Final = object()
_NAME: Final = re.compile(r"[A-Za-z_]\w*")
_OPERATORS: Final = (":-", ":?", ":+", "-", "?", "+")


class Unset(ValueError):
    """A variable has no value where one is needed, or a `$` begins nothing that compose knows."""


class _Loader(yaml.SafeLoader):
    """Refuses a key that is there twice, which the standard loader lets win silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        keys = [key.value for key, _ in node.value if key.value != "<<"]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"twice: {sorted(twice)}", node.start_mark)
        return super().construct_mapping(node, deep)


_Loader.add_constructor("!reset", lambda *_: RESET)


def read(path: Path) -> dict[str, Any]:
    """Return a file's content, anchors and merges resolved; `!reset` becomes `RESET`."""
    found: dict[str, Any] = _Loader(path.read_text()).get_single_data()
    return found


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Return what two files mean together: mappings are united, what is reset goes, all else is the second's.

    Lists of compose add up in general; the two that the second file has, commands and tests, are replaced.
    """
    result = dict(first)
    for key, value in second.items():
        if value is RESET:
            result.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(result.get(key), Mapping):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result


def interpolated(value: Any, environment: Mapping[str, str]) -> Any:
    """Return a value with all variables in its texts replaced; keys are left as they are, as compose does."""
    if isinstance(value, str):
        return _text(value, environment)
    if isinstance(value, Mapping):
        return {key: interpolated(each, environment) for key, each in value.items()}
    if isinstance(value, list):
        return [interpolated(each, environment) for each in value]
    return value


def enabled(services: Mapping[str, Any], profiles: str) -> dict[str, Any]:
    """Return the services that run with a value of COMPOSE_PROFILES; when it is empty, `""` is the one in force."""
    active = {profile.strip() for profile in profiles.split(",")}
    return {
        name: box for name, box in services.items() if not box.get("profiles") or active.intersection(box["profiles"])
    }


def start_order(services: Mapping[str, Any]) -> list[str]:
    """Return the services, each behind those that it depends on.

    Raises:
        LookupError: one that must be there is not among them.
        ValueError: some wait for each other.
    """
    order: list[str] = []
    waiting = {name: _needs(name, box, services) for name, box in services.items()}
    while waiting:
        free = sorted(name for name, needs in waiting.items() if needs <= set(order))
        if not free:
            raise ValueError(f"wait for each other: {sorted(waiting)}")
        order += free
        for name in free:
            del waiting[name]
    return order


def _needs(name: str, box: Mapping[str, Any], services: Mapping[str, Any]) -> set[str]:
    needs = box.get("depends_on", {})
    missing = [need for need, how in needs.items() if need not in services and how.get("required", True)]
    if missing:
        raise LookupError(f"{name} needs {', '.join(missing)}")
    return needs.keys() & services.keys()


def _text(text: str, environment: Mapping[str, str]) -> str:
    parts: list[str] = []
    while "$" in text:
        before, _, rest = text.partition("$")
        parts.append(before)
        if rest.startswith("$"):
            parts.append("$")
            text = rest[1:]
        elif rest.startswith("{"):
            inside, text = _braced(rest)
            parts.append(_substituted(inside, environment))
        else:
            name = _NAME.match(rest)
            parts.append(_substituted(name[0] if name else "", environment))
            text = rest[name.end() if name else 0 :]
    return "".join([*parts, text])


def _braced(text: str) -> tuple[str, str]:
    """Return what stands in the braces that a text begins with, others inside, and the rest."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return text[1:place], text[place + 1 :]
    raise Unset(f"a brace that never closes: {text!r}")


def _substituted(inside: str, environment: Mapping[str, str]) -> str:
    name = _NAME.match(inside)
    if name is None:
        raise Unset(f"not a variable: {inside!r}")
    operator = next((each for each in _OPERATORS if inside[name.end() :].startswith(each)), "")
    word = inside[name.end() + len(operator) :]
    if word and not operator:
        raise Unset(f"not a variable: {inside!r}")
    value = environment.get(name[0])
    given = bool(value) if operator.startswith(":") else value is not None
    if operator.endswith("+"):
        return _text(word, environment) if given else ""
    if given:
        return value or ""
    if operator.endswith("-"):
        return _text(word, environment)
    raise Unset(f"{name[0]} has no value{': ' if word else ''}{word}")


def ports(boxes: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return address and port of each published port, as they are written: `address:published:inside`."""
    return [(address, published) for box in boxes for address, published, _ in map(_split, box.get("ports", ()))]


def _split(port: str) -> tuple[str, str, str]:
    address, published, inside = port.rsplit(":", 2)
    return address, published, inside
