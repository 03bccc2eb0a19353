"""What `faas-cli build --shrinkwrap` lays down for a function, made again from its documented rules, not from its code.

    template/<lang>/*        ──▶ build/<function>/
    <handler>/*              ──▶ build/<function>/function/      all but `build` and `template`
    each configuration.copy  ──▶ build/<function>/function/<the same path>

Later copies go over earlier ones. Symbolic links are followed, modes are kept, and nothing is left out for its name:
files that begin with a dot and compiled files travel too.
"""

import os
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.support.stack_file import Stack

__all__ = ["copied_into_image", "ignored", "lay_out", "shrinkwrap"]

_SKIPPED = frozenset({"build", "template"})
_OVERLAY = "function"


def shrinkwrap(stack: Stack, name: str, *, root: Path, build: Path) -> Path:
    """Make the build context of a function and return it.

    Args:
        stack: The parsed stack file.
        name: The function.
        root: Where faas-cli would run: the paths of the stack start there.
        build: What stands for `./build`; the context is a folder of the function's name in it.

    Raises:
        ValueError: a path to copy is the project itself or lies outside of it.
        FileNotFoundError: the template, the handler or a path to copy is not there, or a link leads nowhere.
    """
    function, context = stack.functions[name], build / name
    shutil.rmtree(context, ignore_errors=True)
    overlay = context / _OVERLAY
    overlay.mkdir(parents=True, mode=0o700)
    _copy(root / "template" / function.lang, context)
    for entry in sorted((root / function.handler).iterdir()):
        if entry.name not in _SKIPPED:
            _copy(entry, overlay / entry.name)
    for path in stack.configuration.copy_paths:
        _copy(_in_scope(path, root), overlay / path)
    return context


def _in_scope(path: str, root: Path) -> Path:
    place, scope = os.path.normpath(root / path), os.path.normpath(root)
    if place == scope or not place.startswith(scope):
        raise ValueError(f"{path} is not inside the project")
    return Path(place)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        for entry in source.iterdir():
            _copy(entry, target / entry.name)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)  # follows a link, keeps the mode


def ignored(context: Path) -> set[Path]:
    """Return the files of a build context that its `.dockerignore` keeps from the engine."""
    patterns = (context / ".dockerignore").read_text().split()
    found = {path for pattern in patterns for path in context.glob(pattern)}
    return found | {path for folder in found if folder.is_dir() for path in folder.rglob("*")}


def lay_out(context: Path, app: Path) -> None:
    """Copy from a build context into a folder what its Dockerfile copies into the image's working directory."""
    for path, target in copied_into_image(context / "Dockerfile", source=_OVERLAY):
        if not target.startswith("/"):
            _copy(context / path, app / target)


def copied_into_image(dockerfile: Path, *, source: str, requirements: str = "runtime") -> Iterator[tuple[str, str]]:
    """Yield the pairs of paths, in the context and in the image, that a Dockerfile copies out of the context.

    Args:
        dockerfile: The recipe.
        source: Value of its argument SOURCE.
        requirements: Value of its argument REQUIREMENTS.
    """
    given = {"SOURCE": source, "REQUIREMENTS": requirements}
    for line in dockerfile.read_text().replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if not words or words[0] != "COPY" or any(word.startswith("--from") for word in words):
            continue
        *sources, target = [word for word in words[1:] if not word.startswith("--")]
        for each in sources:
            path = each
            for argument, value in given.items():
                path = path.replace(f"${{{argument}}}", value)
            yield os.path.normpath(path), target
