"""A JSON Schema in words, for the pages of the contracts."""

from collections.abc import Callable, Iterator
from typing import Any, Final

__all__ = ["Links", "member_table", "schema_text"]

# What stands for a reference.
Links = Callable[[str], str]
_BOUNDS: Final = {
    "minimum": "≥ {}",
    "maximum": "≤ {}",
    "maxLength": "at most {} characters",
    "maxItems": "at most {}",
    "format": "{}",
    "default": "default {}",
}
_NAMES: Final = {"array": "list", "null": "null"}


def schema_text(schema: dict[str, Any], links: Links) -> str:
    """Return a schema in a few words."""
    if "$ref" in schema:
        return links(schema["$ref"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    for word in ("oneOf", "anyOf"):
        if word in schema:
            return " or ".join(schema_text(each, links) for each in schema[word])
    if "allOf" in schema and "type" not in schema:
        return ", ".join(schema_text(each, links) for each in schema["allOf"])
    return ", ".join(_words(schema, links))


def member_table(schema: dict[str, Any], links: Links) -> str:
    """Return the members of an object, one a row; nothing when the schema names none."""
    if not schema.get("properties"):
        return ""
    needed = schema.get("required", ())
    rows = [
        f"| `{name}`{'' if name in needed else ' (optional)'} | {schema_text(each, links)} | {_meaning(each)} |"
        for name, each in schema["properties"].items()
    ]
    return "\n".join(["| member | is | meaning |", "| --- | --- | --- |", *rows])


def _meaning(schema: dict[str, Any]) -> str:
    return " ".join(schema.get("description", "").split())


def _words(schema: dict[str, Any], links: Links) -> Iterator[str]:
    kinds = schema.get("type", "nothing" if schema.get("not") == {} else "any JSON value")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    text = " or ".join(_NAMES.get(kind, kind) for kind in kinds)
    if "items" in schema:
        text += f" of {schema_text(schema['items'], links)}"
    if "object" in kinds and schema.get("properties"):
        text += (
            " {"
            + ", ".join(f"`{name}`: {schema_text(each, links)}" for name, each in schema["properties"].items())
            + "}"
        )
    elif isinstance(schema.get("additionalProperties"), dict):
        text += f" of {schema_text(schema['additionalProperties'], links)}"
    yield text
    if schema.get("minLength") == 1:
        yield "not empty"
    for word, phrase in _BOUNDS.items():
        if word in schema:
            yield phrase.format(schema[word])
