"""What a seeded bug is, and how it is put into a copy of the tree. Files in, files out; no test runs here."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Edit", "Mutant", "applied", "patched"]


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One replacement of text.

    Attributes:
        path: File, from the root of the tree.
        old: Text that stands in the file exactly once.
        new: What takes its place.
    """

    path: str
    old: str
    new: str


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One seeded bug.

    Attributes:
        name: Its name, for the command line.
        bug: What is wrong with the code then.
        edits: How the bug is put in.
        tests: Ids of the tests of which at least one must fail.
    """

    name: str
    bug: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]


def patched(root: Path, edit: Edit) -> str:
    """Return a file's text with the bug in it; `ValueError` when the text that it replaces is not there just once."""
    text = (root / edit.path).read_text()
    found = text.count(edit.old)
    if found != 1:
        raise ValueError(f"{edit.path} holds {found} times: {edit.old!r}")
    return text.replace(edit.old, edit.new)


@contextmanager
def applied(root: Path, mutant: Mutant) -> Iterator[None]:
    """Put a bug into a tree, and take it out again; `ValueError` when it does not fit."""
    originals = {edit.path: (root / edit.path).read_text() for edit in mutant.edits}
    try:
        for edit in mutant.edits:
            (root / edit.path).write_text(patched(root, edit))
        yield
    finally:
        for path, text in originals.items():
            (root / path).write_text(text)
