"""Follows the recipe without an engine: the layers that it adds to its base image, in a folder.

    recipe ─▶ stage by stage: ARG ENV │ WORKDIR │ COPY from context or stage │ RUN (local/image/steps.py)
                                                                  └─▶ last stage: files, and the image's configuration

The base image is what this cannot show: here the system and the Python of this machine stand in for it.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from local.image.context import Context
from local.image.recipe import Instruction, RecipeError, Stage, expand, parse, words
from local.image.steps import commands_of, run_step
from local.layout import ROOT

__all__ = ["RECIPE", "Configuration", "build"]

RECIPE: Final = ROOT / "template" / "python-signal" / "Dockerfile"
# What the base image brings.
_BASE_ENV: Final = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


@dataclass(kw_only=True)
class Configuration:
    """How the image is run: what an engine keeps beside the layers.

    Attributes:
        env: Environment, complete.
        labels: Labels by name.
        user: `uid:gid`, in numbers.
        workdir: Absolute.
        entrypoint: The program.
        cmd: Arguments when none are given.
        ports: Ports that the image says it listens on.
        stop_signal: Its name.
    """

    env: dict[str, str] = field(default_factory=lambda: dict(_BASE_ENV))
    labels: dict[str, str] = field(default_factory=dict)
    user: str = ""
    workdir: str = "/"
    entrypoint: list[str] = field(default_factory=list)
    cmd: list[str] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)
    stop_signal: str = ""


def build(target: Path, context: Context, arguments: Mapping[str, str], recipe: Path = RECIPE) -> Configuration:
    """Follow the recipe and leave the files of its last stage in a new folder.

    Args:
        target: Folder to make; its parent exists.
        context: What COPY takes from.
        arguments: Values of the recipe's ARGs, such as SOURCE.
        recipe: The Dockerfile.

    Returns:
        How the image is run.

    Raises:
        RecipeError: the recipe says something that cannot be followed, or does not declare an argument.
        FileNotFoundError: the context lacks what is copied.
        subprocess.CalledProcessError: a step failed.
    """
    stages = parse(recipe.read_text())
    declared = {each.value.partition("=")[0] for stage in stages for each in stage.instructions if each.name == "ARG"}
    if undeclared := arguments.keys() - declared:
        raise RecipeError(f"the recipe has no argument {', '.join(sorted(undeclared))}")
    work = target.with_name(f"{target.name}.stages")
    shutil.rmtree(work, ignore_errors=True)
    roots: dict[str, Path] = {}
    try:
        for number, stage in enumerate(stages):
            root = work / str(number)
            root.mkdir(parents=True)
            last = _Build(stage, root, context, arguments, roots)
            last.follow()
            roots[stage.alias or str(number)] = root
        shutil.rmtree(target, ignore_errors=True)
        root.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return last.configuration


class _Build:
    """One stage while it is followed."""

    def __init__(
        self, stage: Stage, root: Path, context: Context, arguments: Mapping[str, str], roots: Mapping[str, Path]
    ) -> None:
        self.configuration = Configuration()
        self._stage, self._root, self._context, self._roots = stage, root, context, roots
        self._arguments = arguments
        self._declared: dict[str, str] = {}

    def follow(self) -> None:
        """Do each instruction in turn."""
        for instruction in self._stage.instructions:
            try:
                getattr(self, f"_{instruction.name.lower()}", self._unknown)(instruction)
            except RecipeError as exc:
                raise RecipeError(f"line {instruction.line}, {instruction.name}: {exc}") from exc

    def _unknown(self, _: Instruction) -> None:
        raise RecipeError("it is not known how to follow this")

    def _text(self, text: str) -> str:
        return expand(text, self._declared | self.configuration.env)

    def _pairs(self, instruction: Instruction) -> dict[str, str]:
        pairs = dict(word.partition("=")[::2] for word in words(instruction) if "=" in word)
        if len(pairs) != len(words(instruction)):
            raise RecipeError("each word is NAME=value, each name once")
        return {name: self._text(value) for name, value in pairs.items()}

    def _arg(self, instruction: Instruction) -> None:
        name, _, default = instruction.value.partition("=")
        self._declared[name] = self._arguments.get(name, default)

    def _env(self, instruction: Instruction) -> None:
        self.configuration.env |= self._pairs(instruction)

    def _label(self, instruction: Instruction) -> None:
        self.configuration.labels |= self._pairs(instruction)

    def _workdir(self, instruction: Instruction) -> None:
        self.configuration.workdir = instruction.value
        self._inside(instruction.value).mkdir(parents=True, exist_ok=True)

    def _user(self, instruction: Instruction) -> None:
        self.configuration.user = instruction.value

    def _expose(self, instruction: Instruction) -> None:
        self.configuration.ports = [int(word) for word in words(instruction)]

    def _stopsignal(self, instruction: Instruction) -> None:
        self.configuration.stop_signal = instruction.value

    def _entrypoint(self, instruction: Instruction) -> None:
        self.configuration.entrypoint = words(instruction)

    def _cmd(self, instruction: Instruction) -> None:
        self.configuration.cmd = words(instruction)

    def _run(self, instruction: Instruction) -> None:
        for command in commands_of(instruction.value):
            run_step(command, self._root, self.configuration.workdir)

    def _copy(self, instruction: Instruction) -> None:
        parts = [self._text(word) for word in words(instruction)]
        options = [part for part in parts if part.startswith("--")]
        if len(parts) - len(options) != 2 or any(not each.startswith("--from=") for each in options):  # noqa: PLR2004
            raise RecipeError("one source, one target, and no option but --from")
        source, target = (part for part in parts if part not in options)
        if not options:
            self._context.copy(source.removeprefix("./"), self._inside(target))
            return
        stage = self._roots.get(options[0].removeprefix("--from="))
        if stage is None:
            raise RecipeError(f"no stage before this one is called so: {options[0]}")
        shutil.copytree(stage / source.lstrip("/"), self._inside(target), symlinks=True, dirs_exist_ok=True)

    def _inside(self, path: str) -> Path:
        """Return the folder or file that stands for a path of the image, relative to the working directory or not."""
        return self._root / self.configuration.workdir.lstrip("/") / path if path[0] != "/" else self._root / path[1:]
