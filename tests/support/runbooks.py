"""The runbooks as tests read them: their commands, those that only look apart from those that change something.

A fence marked `sh` holds commands that look, one marked `sh repair` commands that change something; one command a line.
"""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from signal_pipeline.settings import Settings
from tests.support.pipeline import ROOT, Pipeline

__all__ = ["RUNBOOKS", "Runbook", "for_ports_of", "looks", "repairs", "run_as_written", "runbook"]

_FENCE: Final = re.compile(r"^```(?P<mark>.*)\n(?P<lines>(?:(?!```).*\n)*)```$", re.MULTILINE)
_LOOKS: Final = "sh"
_REPAIRS: Final = "sh repair"
_ADDRESS: Final = re.compile(r"(?<=127\.0\.0\.1:)\d+")
_SECONDS: Final = 180


@dataclass(frozen=True, kw_only=True)
class Runbook:
    """One page.

    Attributes:
        slug: Name of the file without its ending.
        text: The whole page.
        marks: What stands behind the opening of each fence.
        looks: Commands that change nothing.
        repairs: Commands that change something.
    """

    slug: str
    text: str
    marks: tuple[str, ...]
    looks: tuple[str, ...]
    repairs: tuple[str, ...]

    @property
    def commands(self) -> tuple[str, ...]:
        """All commands."""
        return (*self.looks, *self.repairs)

    @property
    def prose(self) -> str:
        """The page without its commands."""
        return _FENCE.sub("", self.text)


def runbook(path: Path) -> Runbook:
    """Return the page in a file."""
    text = path.read_text()
    fences = [(found["mark"], tuple(found["lines"].splitlines())) for found in _FENCE.finditer(text)]
    return Runbook(
        slug=path.stem,
        text=text,
        marks=tuple(mark for mark, _ in fences),
        looks=tuple(line for mark, lines in fences if mark == _LOOKS for line in lines),
        repairs=tuple(line for mark, lines in fences if mark == _REPAIRS for line in lines),
    )


RUNBOOKS: Final = {path.stem: runbook(path) for path in sorted((ROOT / "monitoring" / "runbooks").glob("*.md"))}


def looks() -> tuple[str, ...]:
    """Return every command that only looks, once."""
    return tuple(dict.fromkeys(command for page in RUNBOOKS.values() for command in page.looks))


def repairs() -> tuple[str, ...]:
    """Return every command that changes something, once."""
    return tuple(dict.fromkeys(command for page in RUNBOOKS.values() for command in page.repairs))


def for_ports_of(command: str, settings: Settings) -> str:
    """Return a command with the ports of one pipeline in place of the documented ones; `KeyError` for any other port.

    The documented ports are the defaults of the settings, so that what a page says of a port is checked on the way.
    """
    fields = {name: field for name, field in type(settings).model_fields.items() if name.endswith("_port")}
    ports = {str(field.default): str(getattr(settings, name)) for name, field in fields.items()}
    return _ADDRESS.sub(lambda found: ports[found[0]], command)


def run_as_written(pipeline: Pipeline, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command of a page in the repository's root, against a pipeline, as a person's shell would.

    A pipe fails when any part of it does: what a person sees empty must not pass here.
    """
    # A make of its own: what `make test` was given is not meant for it.
    inherited = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MFLAGS", "MAKELEVEL"}}
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", for_ports_of(command, pipeline.settings)],
        cwd=ROOT,
        env={**inherited, **pipeline.variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
