"""The commands of the recipe's RUN instructions, each known by its exact words.

Each either works on a stage's files, and is done here on the folder that stands for it, or changes the base image
alone, which is this machine's own system here. Any other command is an error: a recipe that changes is looked at.
"""

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Final

from local.image.recipe import RecipeError

__all__ = ["KNOWN_STEPS", "commands_of", "run_step"]

# Words ─▶ whether it is done on the stage's folder; the others concern users and packages of the base image.
KNOWN_STEPS: Final = {
    "python -m venv --without-pip /venv": True,
    "pip --python /venv/bin/python install --no-cache-dir --require-hashes -r /requirements.txt": True,
    "find . -name __pycache__ -prune -exec rm -r {} +": True,
    "python -m compileall -q --invalidation-mode checked-hash signal_pipeline functions": True,
    "chmod -R u=rwX,go=rX .": True,
    "groupadd --system --gid 10001 signal": False,
    "useradd --system --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin signal": False,
    "pip uninstall --yes --root-user-action ignore setuptools wheel pip": False,
    "rm -r /usr/local/lib/python3.11/ensurepip": False,
}
_PROGRAMS: Final = {"python": [sys.executable], "pip": [sys.executable, "-m", "pip", "--quiet"]}
# The cache of this machine is no layer, so it may be used; what pip knows of itself is of no interest.
_LEFT_OUT: Final = {"--no-cache-dir"}
_SECONDS: Final = 300


def commands_of(run: str) -> list[str]:
    """Return the commands of a RUN instruction, which `&&` separates.

    Raises:
        RecipeError: one of them is not known, whatever else a shell would make of it.
    """
    found = [" ".join(part.split()) for part in run.split("&&")]
    for command in found:
        if command not in KNOWN_STEPS:
            raise RecipeError(f"a step that is not known, so that it cannot be followed: {command!r}")
    return found


def run_step(command: str, root: Path, workdir: str) -> None:
    """Do one known command on the folder that stands for a stage's root.

    Args:
        command: The words, as `commands_of` returns them.
        root: The folder.
        workdir: The stage's working directory, absolute inside of it.

    Raises:
        subprocess.CalledProcessError: the command failed; what it said went to standard error.
    """
    if not KNOWN_STEPS[command]:
        return
    program, *arguments = shlex.split(command)
    inside = [str(root) + word if word.startswith("/") else word for word in arguments if word not in _LEFT_OUT]
    subprocess.run(
        [*_PROGRAMS.get(program, [program]), *inside],
        cwd=root / workdir.lstrip("/"),
        check=True,
        stdout=sys.stderr,
        timeout=_SECONDS,
        umask=0o022,
    )
