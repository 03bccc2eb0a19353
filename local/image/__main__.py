"""`python -m local.image …`: the images by Docker, and the image's files without it."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from local import console
from local.image.context import Context
from local.image.publish import build_images
from local.image.recipe import RecipeError
from local.image.rootfs import build
from local.layout import ROOT
from local.supervisor import Refused

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)
_Requirements = Annotated[str, typer.Option(help="runtime, or otel to trace as well")]
_MB = 1_000_000


@app.command()
def images(
    registry: Annotated[str, typer.Option(help="where platforms fetch from; empty: compose's images alone")] = "",
    requirements: _Requirements = "runtime",
    *,
    push: Annotated[bool, typer.Option(help="send them to the registry, with bill and provenance")] = False,
) -> None:
    """Build the images with Docker and name them."""

    def action() -> None:
        for name in build_images(registry=registry, push=push, requirements=requirements):
            console.OUT.print(name, markup=False)

    _run(action)


@app.command()
def rootfs(
    out: Annotated[Path, typer.Argument(help="folder to make, in one that exists")],
    requirements: _Requirements = "runtime",
) -> None:
    """Follow the recipe without an engine: the files of its last stage, and their size."""

    def action() -> None:
        if out.exists():
            raise Refused(f"{out} exists: name a new folder")
        configuration = build(out.absolute(), Context(ROOT), {"SOURCE": ".", "REQUIREMENTS": requirements})
        for layer in sorted(out.iterdir()):
            size = sum(file.lstat().st_size for file in layer.rglob("*") if not file.is_dir())
            console.OUT.print(f"/{layer.name:<8}{size / _MB:>8.1f} MB")
        console.OUT.print(f"runs {' '.join(configuration.entrypoint + configuration.cmd)} as {configuration.user}")

    _run(action)


def _run(action: Callable[[], None]) -> None:
    """Do the action; what was to be expected is a message and exit status 1."""
    try:
        action()
    except (Refused, RecipeError, OSError, subprocess.CalledProcessError) as exc:
        console.fail(str(exc))
        raise typer.Exit(1) from exc


app(prog_name="python -m local.image")
