"""Runs a program in an image's files, as an engine would: environment, user, working directory, no writing but in /tmp.

With root the files are a root of their own, in a mount namespace: paths are those of the image, the user is the
image's, and writing fails. Without root the files stay where they are, the environment's paths are changed to that, and
the user is whoever runs it.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from local.image.rootfs import Configuration

__all__ = ["Run", "can_isolate", "prepared"]

_ENTER: Final = Path(__file__).with_name("enter.sh")


@dataclass(frozen=True, kw_only=True)
class Run:
    """What to start: the words, the environment, and the folder to be in."""

    argv: list[str]
    env: dict[str, str]
    cwd: Path


def can_isolate() -> bool:
    """Tell whether a root and a mount namespace of its own can be had here."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "setpriv", "chroot"))):
        return False
    return subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0


def prepared(
    files: Path, image: Configuration, arguments: list[str], settings: Mapping[str, str], mountpoint: Path
) -> Run:
    """Return how to run the image with arguments, or with its own when there are none.

    Args:
        files: The folder that `build` filled.
        image: What `build` returned.
        arguments: In place of the image's CMD.
        settings: Environment beside the image's, which it overrides.
        mountpoint: An empty folder, for an isolated run.
    """
    program = [*image.entrypoint, *(arguments or image.cmd)]
    env = image.env | dict(settings)
    if can_isolate():
        inside = ["/usr/bin/env", "--unset=PWD", "--chdir", image.workdir, "--", *program]
        enter = ["sh", str(_ENTER), str(files), sys.base_prefix, str(mountpoint), image.user, *inside]
        return Run(argv=["unshare", "--mount", "--propagation", "private", *enter], env=env, cwd=Path("/"))
    moved = {name: _moved(value, files) for name, value in env.items()}
    program[0] = shutil.which(program[0], path=moved["PATH"]) or program[0]
    return Run(argv=program, env=moved, cwd=files / image.workdir.lstrip("/"))


def _moved(value: str, files: Path) -> str:
    """Return a list of paths with those below the image's own folders where the files are."""
    own = {f"/{each.name}" for each in files.iterdir()}
    return ":".join(
        f"{files}{part}" if part.startswith("/") and "/" + part.split("/")[1] in own else part
        for part in value.split(":")
    )
