"""Compares answers with an OpenAPI document, whose schemas are JSON Schema 2020-12."""

from collections import defaultdict
from typing import Any

from jsonschema import Draft202012Validator

from tests.support.http import Answer

__all__ = ["Contract"]

# Answered by the layer around every operation, or by any dependency that is down; provoked in tests of their own.
_UNPROVOKED = {"429", "503", "default"}
# Of operations that ask for a credential only with SECURITY=on, which the fuzz runs with, too.
_SECURED = {"401", "403"}


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
            assert answer.body == b"", f"{method} {path} {status} has a body"
            return
        media_type = answer.headers["content-type"].partition(";")[0]
        assert media_type in content, f"{method} {path} {status} is {media_type}"
        if media_type.endswith("json"):
            self._compare(answer.json, content[media_type]["schema"], f"{method} {path} {status}")

    def unseen(self, method: str, path: str) -> set[str]:
        """Return the documented statuses of an operation that no answer had."""
        operation = self.operations()[method, path]
        unprovoked = _UNPROVOKED if "security" in operation else _UNPROVOKED | _SECURED
        return set(operation["responses"]) - self._seen[method, path] - unprovoked

    def resolved(self, part: dict[str, Any]) -> dict[str, Any]:
        """Return what a reference points to; anything else as it is."""
        if "$ref" not in part:
            return part
        found = self.document
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        return self.resolved(found)

    def _compare(self, value: Any, schema: dict[str, Any], place: str) -> None:
        # References lead to components of the document, so these stand at the root of the schema too.
        whole = {**schema, "components": self.document["components"]}
        faults = Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER).iter_errors(value)
        told = [f"{place}{fault.json_path[1:]}: {fault.message}" for fault in faults]
        assert not told, told
