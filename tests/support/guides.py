"""Reads the guides: their fenced blocks, and what they say comes back."""

import re
from dataclasses import dataclass
from pathlib import Path

from tests.support.pipeline import ROOT, Pipeline

__all__ = ["Block", "blocks", "moved", "section"]

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```\n(?:\nAnswer (\d{3})(?:: `([^\n]*)`)?$)?", re.MULTILINE | re.DOTALL)
# A number is a port only where it stands for one.
_PORT = re.compile(r"(?<=127\.0\.0\.1:)\d+|(?<=PGPORT=)\d+")


@dataclass(frozen=True, kw_only=True)
class Block:
    """One fenced block.

    Attributes:
        language: What it is written in.
        text: Its lines.
        status: The HTTP status that the guide says is answered; None when it says nothing.
        answer: The body that the guide says is answered; None when it says nothing.
    """

    language: str
    text: str
    status: int | None
    answer: str | None


def section(path: Path, heading: str) -> str:
    """Return the text below a heading of the second level, up to the next; `LookupError` without it."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", path.read_text(), re.MULTILINE | re.DOTALL)
    if found is None:
        raise LookupError(f"{path.relative_to(ROOT)} has no section {heading!r}")
    return found[1]


def blocks(text: str, language: str) -> list[Block]:
    """Return the blocks in one language, in order."""
    found = _FENCE.findall(text)
    return [
        Block(language=kind, text=body, status=int(status) if status else None, answer=answer or None)
        for kind, body, status, answer in found
        if kind == language
    ]


def moved(text: str, pipeline: Pipeline) -> str:
    """Return a command with the ports of a pipeline in place of the default ones."""
    offset = pipeline.settings.port_offset
    return _PORT.sub(lambda port: str(int(port[0]) + offset), text)
