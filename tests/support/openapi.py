"""Compares answers with an OpenAPI document, as far as its schemas go here: no library for it is among the tools."""

from collections import defaultdict
from typing import Any

from tests.unit.serving.asgi import Answer

__all__ = ["Contract"]

# Answered by the layer around every operation, or by any dependency that is down; provoked in tests of their own.
_UNPROVOKED = {"429", "503", "default"}
_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "object": dict,
    "array": list,
    "null": type(None),
}


class Contract:
    """One role's document, and which of its statuses were seen.

    Args:
        document: The whole document.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._seen: dict[tuple[str, str], set[str]] = defaultdict(set)

    def operations(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Return each operation by method and path."""
        paths = self.document["paths"].items()
        return {(method.upper(), path): operation for path, item in paths for method, operation in item.items()}

    def check(self, method: str, path: str, answer: Answer) -> None:
        """Fail unless the status of an answer is documented by itself, and the rest as the document says."""
        responses = self.operations()[method, path]["responses"]
        status = str(answer.status)
        assert status in responses, f"{method} {path} answered {status}: {answer.body!r}"
        self._seen[method, path].add(status)
        response = self.resolved(responses[status])
        for header in response.get("headers", ()):
            assert header.lower() in answer.headers, f"{method} {path} {status} without {header}"
        content = response.get("content", {})
        if not content:
            assert answer.body == b""
            return
        media_type = answer.headers["content-type"].partition(";")[0]
        assert media_type in content, f"{method} {path} {status} is {media_type}"
        if media_type.endswith("json"):
            self._compare(answer.json, content[media_type]["schema"], f"{method} {path} {status}")

    def unseen(self, method: str, path: str) -> set[str]:
        """Return the documented statuses of an operation that no answer had."""
        return set(self.operations()[method, path]["responses"]) - self._seen[method, path] - _UNPROVOKED

    def resolved(self, part: dict[str, Any]) -> dict[str, Any]:
        """Return what a reference points to; anything else as it is."""
        if "$ref" not in part:
            return part
        found = self.document
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        return self.resolved(found)

    def _compare(self, value: Any, schema: dict[str, Any], place: str) -> None:
        wanted = self.resolved(schema)
        if "type" in wanted:
            types = wanted["type"] if isinstance(wanted["type"], list) else [wanted["type"]]
            fits = any(isinstance(value, _TYPES[name]) for name in types)
            assert fits, f"{place}: {value!r} is none of {types}"
        assert value in wanted.get("enum", [value]), f"{place}: {value!r}"
        if isinstance(value, dict):
            self._compare_object(value, wanted, place)
        if isinstance(value, list):
            for index, item in enumerate(value):
                self._compare(item, wanted.get("items", {}), f"{place}[{index}]")

    def _compare_object(self, value: dict[str, Any], wanted: dict[str, Any], place: str) -> None:
        assert set(wanted.get("required", ())) <= set(value), f"{place}: {sorted(value)}"
        known, others = wanted.get("properties", {}), wanted.get("additionalProperties", True)
        for name, member in value.items():
            assert name in known or others is not False, f"{place} has {name}, which is not documented"
            self._compare(member, known.get(name, others if isinstance(others, dict) else {}), f"{place}.{name}")
