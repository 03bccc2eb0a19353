r"""Reads a recipe (Dockerfile) strictly: an instruction or a form that is not known here is an error.

    text ─▶ lines joined at `\\`, comments out ─▶ instructions ─▶ stages, each beginning with FROM

Strict, because what follows the recipe must not do less than an engine would without anybody's notice.
"""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["Instruction", "RecipeError", "Stage", "expand", "parse", "words"]

KNOWN: Final = frozenset(
    {
        "ARG",
        "CMD",
        "COPY",
        "ENTRYPOINT",
        "ENV",
        "EXPOSE",
        "FROM",
        "LABEL",
        "RUN",
        "STOPSIGNAL",
        "USER",
        "VOLUME",
        "WORKDIR",
    }
)
_INSTRUCTION: Final = re.compile(r"(?P<name>[A-Za-z]+)\s+(?P<value>\S.*)")
_FROM: Final = re.compile(r"(?P<image>\S+@sha256:[0-9a-f]{64})(?:\s+AS\s+(?P<alias>[a-z][a-z0-9_.-]*))?", re.IGNORECASE)
_VARIABLE: Final = re.compile(r"\$(?:\{(?P<braced>[A-Za-z_]\w*)\}|(?P<bare>[A-Za-z_]\w*)|(?P<other>.?))")


class RecipeError(ValueError):
    """A recipe says something that cannot be followed; the message has the line."""


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """One instruction.

    Attributes:
        name: In capitals: `COPY`.
        value: All behind the name, on one line, variables as they are written.
        line: Number of its first line in the file, from 1.
    """

    name: str
    value: str
    line: int


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage of a build: the image it begins with, its own name or an empty one, and its instructions."""

    image: str
    alias: str
    instructions: tuple[Instruction, ...]


def parse(text: str) -> tuple[Stage, ...]:
    """Return the stages of a recipe, in order.

    Raises:
        RecipeError: an instruction is not known, is empty, never ends or comes before the first FROM; or a stage begins
            with an image that has no digest.
    """
    stages: list[tuple[str, str, list[Instruction]]] = []
    for instruction in _instructions(text):
        if instruction.name == "FROM":
            stages.append((*_origin(instruction), []))
        elif not stages:
            raise RecipeError(f"line {instruction.line}: {instruction.name} comes before FROM")
        else:
            stages[-1][2].append(instruction)
    return tuple(Stage(image=image, alias=alias, instructions=tuple(rest)) for image, alias, rest in stages)


def expand(text: str, variables: Mapping[str, str]) -> str:
    r"""Return text with `$NAME` and `${NAME}` replaced; other forms, such as `${NAME:-x}` and `\$`, are refused.

    Raises:
        RecipeError: a variable is not declared, or the form is not known.
    """

    def value(found: re.Match[str]) -> str:
        name = found["braced"] or found["bare"]
        if name not in variables:
            raise RecipeError(f"no such variable, or a form that is not known: {text!r}")
        return variables[name]

    if "\\" in text:
        raise RecipeError(f"an escape is not known: {text!r}")
    return _VARIABLE.sub(value, text)


def words(instruction: Instruction) -> list[str]:
    """Return the words of ENTRYPOINT or CMD in JSON form, or of the others by the rules of a shell.

    Raises:
        RecipeError: ENTRYPOINT or CMD is no list of strings (a shell would stand between a signal and the program), or
            a quotation does not end.
    """
    try:
        if instruction.name not in {"ENTRYPOINT", "CMD"}:
            return shlex.split(instruction.value)
        found = json.loads(instruction.value)
    except ValueError as exc:
        raise RecipeError(f"line {instruction.line}: {instruction.name} cannot be read: {exc}") from exc
    if not isinstance(found, list) or not all(isinstance(word, str) for word in found):
        raise RecipeError(f"line {instruction.line}: {instruction.name} is no list of strings")
    return found


def _instructions(text: str) -> Iterator[Instruction]:
    joined, begun = "", 0
    for number, line in enumerate(text.split("\n"), start=1):
        part = line.strip()
        if not part or part.startswith("#"):  # also in the middle of an instruction, as engines do
            continue
        begun = begun or number
        joined += part.removesuffix("\\")
        if not part.endswith("\\"):
            yield _instruction(joined, begun)
            joined, begun = "", 0
    if joined:
        raise RecipeError(f"line {begun}: the instruction never ends")


def _instruction(text: str, line: int) -> Instruction:
    found = _INSTRUCTION.fullmatch(text.strip())
    if found is None or found["name"].upper() not in KNOWN:
        raise RecipeError(f"line {line}: not known: {text!r}")
    return Instruction(name=found["name"].upper(), value=found["value"], line=line)


def _origin(instruction: Instruction) -> tuple[str, str]:
    found = _FROM.fullmatch(instruction.value)
    if found is None:
        raise RecipeError(f"line {instruction.line}: not an image with a digest: {instruction.value!r}")
    return found["image"], found["alias"] or ""
