"""The commands that the product has: make's targets and the command line's own."""

import re
import shlex
from collections.abc import Iterable
from functools import cache
from typing import Any, Final

import typer.main

from local.components.table import all_services
from local.layout import Layout
from signal_pipeline.cli import app
from signal_pipeline.settings import Settings
from tests.support.pipeline import ROOT

__all__ = ["parse_pipeline_command", "unknown_targets"]

_TARGET: Final = re.compile(r"^([a-z][a-z%-]*):", re.MULTILINE)


@cache
def _targets() -> frozenset[str]:
    return frozenset(_TARGET.findall((ROOT / "Makefile").read_text()))


@cache
def _services() -> frozenset[str]:
    settings = Settings(_env_file=None)
    return frozenset(service.name for service in all_services(settings, Layout.of(settings.state_dir)))


def unknown_targets(targets: Iterable[str]) -> set[str]:
    """Return those that the Makefile does not have; `logs-x`, `stop-x` and `start-x` need a service x."""
    return {target for target in targets if not _is_known(target)}


def _is_known(target: str) -> bool:
    if target in _targets():
        return True
    action, _, service = target.partition("-")
    return f"{action}-%" in _targets() and service in _services()


def parse_pipeline_command(words: str) -> None:
    """Let the command line read what stands behind `signal-pipeline`, without running it.

    Raises:
        Exception: there is no such command, option or argument; the message says which.
    """
    command: Any = typer.main.get_command(app)
    left = shlex.split(words)
    while hasattr(command, "commands"):
        command = command.commands[left.pop(0)]
    command.make_context("signal-pipeline", left)
