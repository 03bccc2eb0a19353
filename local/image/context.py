"""What a build sees of a folder: all but what .dockerignore names; as Docker reads it, the last match wins."""

import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

__all__ = ["Context"]

# Longest first: `**/` is any number of folders, none included.
_WILD = re.compile(r"\*\*/|\*\*|\*|\?")
_MEANING = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


class Context:
    """A folder as a build sees it."""

    def __init__(self, folder: Path) -> None:
        """Read the folder's .dockerignore, if there is one; `ValueError` for a pattern with brackets."""
        self.folder = folder
        file = folder / ".dockerignore"
        lines = file.read_text().splitlines() if file.is_file() else []
        self._rules = [_rule(line.strip()) for line in lines if line.strip() and not line.startswith("#")]

    def sees(self, path: str) -> bool:
        """Tell whether a path, relative to the folder, is part of the context."""
        pure = PurePosixPath(path)
        names = [str(pure), *(str(parent) for parent in pure.parents if parent.name)]
        seen = True
        for lets_in, pattern in self._rules:
            if any(pattern.fullmatch(name) for name in names):
                seen = lets_in
        return seen

    def files(self, path: str) -> list[str]:
        """Return the files at or below a path that a build sees, in order."""
        start = self.folder / path
        found = [start] if start.is_file() else [each for each in sorted(start.rglob("*")) if each.is_file()]
        relative = (each.relative_to(self.folder).as_posix() for each in found)
        return [name for name in relative if self.sees(name)]

    def copy(self, source: str, target: Path) -> None:
        """Copy a file, or what is in a folder, with modes and times.

        Raises:
            FileNotFoundError: a build sees nothing of that name.
        """
        names = self.files(source)
        if not names:
            raise FileNotFoundError(f"the context has no {source}")
        for name in names:
            place = target if name == source else target / PurePosixPath(name).relative_to(source)
            for folder in reversed(_missing(place.parent)):
                folder.mkdir()
            shutil.copy2(self.folder / name, place)


def _missing(folder: Path) -> Sequence[Path]:
    """Return the folder and those above it that do not exist, the deepest first."""

    def upwards() -> Iterator[Path]:
        each = folder
        while not each.exists():
            yield each
            each = each.parent

    return list(upwards())


def _rule(line: str) -> tuple[bool, re.Pattern[str]]:
    lets_in, text = line.startswith("!"), line.removeprefix("!").strip().strip("/")
    if re.search(r"[\[\]\\]", text):
        raise ValueError(f".dockerignore: brackets and escapes are not known here: {line!r}")
    parts, at = [], 0
    for found in _WILD.finditer(text):
        parts += [re.escape(text[at : found.start()]), _MEANING[found[0]]]
        at = found.end()
    return lets_in, re.compile("".join([*parts, re.escape(text[at:])]), re.DOTALL)
