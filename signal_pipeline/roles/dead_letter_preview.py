"""One dead letter as a person looks at it: where it came from, why it failed, and the beginning of what it holds.

Headers and JSON members whose names speak of a secret are hidden: a letter is read in terminals, pasted into tickets.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from signal_pipeline.domain.dead_letters import sanitised

__all__ = ["HIDDEN", "PREVIEW_BYTES", "shown"]

HIDDEN: Final = "(hidden)"
PREVIEW_BYTES: Final = 4096
_MAX_HEADERS: Final = 64
_MAX_HEADER_BYTES: Final = 512
_SECRET: Final = "password|passwd|secret|token|authorization|cookie|credential|api[-_]?key|private[-_]?key"  # noqa: S105 - names
_SECRET_NAME: Final = re.compile(_SECRET, re.IGNORECASE)
# A member's name, then a string, which the preview may have cut, or another scalar.
_SECRET_MEMBER: Final = re.compile(
    rf'("[^"]*(?:{_SECRET})[^"]*"\s*:\s*)(?:"(?:[^"\\]|\\.)*"?|[^\s,{{}}\[\]"]+)', re.IGNORECASE | re.DOTALL
)
_RECORD_COLUMNS: Final = ("key_beginning", "key_bytes", "value_beginning", "value_bytes", "record_headers")


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of `find_dead_letter` as JSON values, its record decoded as far as it is text."""
    return {
        **{name: value for name, value in row.items() if name not in _RECORD_COLUMNS},
        "key": _content(row["key_beginning"], row["key_bytes"]),
        "value": _content(row["value_beginning"], row["value_bytes"]),
        "headers": [_header(name, value) for name, value in row["record_headers"][:_MAX_HEADERS]],
        "header_count": len(row["record_headers"]),
    }


def _content(beginning: bytes | None, size: int | None) -> dict[str, Any] | None:
    """Return the beginning of a key or value with its whole size in bytes; None when the record had none."""
    if beginning is None or size is None:
        return None
    return {"bytes": size, "truncated": len(beginning) < size, **_decoded(beginning, is_cut=len(beginning) < size)}


def _header(raw_name: str, encoded: str | None) -> dict[str, Any]:
    name = sanitised(raw_name)
    if encoded is None:
        return {"name": name, "encoding": None, "text": None}
    if _SECRET_NAME.search(name):
        return {"name": name, "encoding": None, "text": HIDDEN}
    value = base64.b64decode(encoded)
    is_cut = len(value) > _MAX_HEADER_BYTES
    return {"name": name, **_decoded(value[:_MAX_HEADER_BYTES], is_cut=is_cut)}


def _decoded(content: bytes, *, is_cut: bool) -> dict[str, Any]:
    """Return text where the bytes are UTF-8, else base64; a character that the cut has split is left out."""
    for end in _ends(content, is_cut=is_cut):
        try:
            text = content[:end].decode()
        except UnicodeDecodeError:
            continue
        return {"encoding": "utf-8", "text": _SECRET_MEMBER.sub(rf'\1"{HIDDEN}"', text)}
    return {"encoding": "base64", "text": base64.b64encode(content).decode()}


def _ends(content: bytes, *, is_cut: bool) -> Sequence[int]:
    # A character of UTF-8 has at most 4 bytes, so a cut leaves at most 3 of one.
    return range(len(content), max(len(content) - 4, -1), -1) if is_cut else (len(content),)
