"""The image's files, made once for each content of recipe, context and arguments."""

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

from local.image.context import Context
from local.image.recipe import expand, parse, words
from local.image.rootfs import RECIPE, Configuration, build

__all__ = ["cached", "fingerprint"]


def cached(folder: Path, context: Context, arguments: Mapping[str, str]) -> tuple[Path, Configuration]:
    """Return the files and the configuration of the image as it is now; what was made of an earlier one is deleted.

    Args:
        folder: Where they are kept; made when it is missing.
        context: What COPY takes from.
        arguments: Values of the recipe's ARGs.

    Raises:
        RecipeError, FileNotFoundError, subprocess.CalledProcessError: as `build` raises them.
    """
    place = folder / fingerprint(context, arguments)
    record = place / "configuration.json"
    if not record.exists():
        shutil.rmtree(folder, ignore_errors=True)
        place.mkdir(parents=True)
        configuration = build(place / "files", context, arguments)
        record.write_text(json.dumps(asdict(configuration)))  # last: without it the rest is not taken for complete
    return place / "files", Configuration(**json.loads(record.read_text()))


def fingerprint(context: Context, arguments: Mapping[str, str], recipe: Path = RECIPE) -> str:
    """Return what changes with the recipe, the arguments, the Python here, and each file that is copied or its mode."""
    stages = parse(recipe.read_text())
    everything = [each for stage in stages for each in stage.instructions]
    defaults = dict(each.value.partition("=")[::2] for each in everything if each.name == "ARG")
    digest = sha256(repr((recipe.read_text(), sorted(arguments.items()), sys.version)).encode())
    for source in (words(each)[0] for each in everything if each.name == "COPY"):
        for name in [] if source.startswith("--from=") else context.files(expand(source, defaults | dict(arguments))):
            file = context.folder / name
            digest.update(repr((name, file.stat().st_mode)).encode() + sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]
