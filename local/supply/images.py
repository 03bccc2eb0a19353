"""The container images that the repository names, and their digests.

A tag can be moved by whoever owns it, a digest cannot. `make pin-images` asks Docker for the digest of each tag without
one and writes it behind the tag: `name:tag@sha256:…`. What is built here has no digest and needs none.
"""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from local.layout import ROOT
from local.supervisor import Refused

__all__ = ["Image", "named_images", "pin_images"]

_PLACES = ("docker-compose.yml", "template/**/Dockerfile", "local/**/Dockerfile", "deploy/**/*.y*ml", "stack.yml")
_NAMED = re.compile(r"^(?P<before>\s*(?:-\s+)?image:\s+|FROM\s+(?:--\S+\s+)*)(?P<image>[^\s#]+)", re.MULTILINE)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# Built by this repository, or chosen by whoever deploys.
_OURS = re.compile(r"signal-pipeline|\$\{")
_ASK_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Image:
    """One image of somebody else: the file that names it, its name with the tag, its digest or None."""

    file: Path
    tagged: str
    digest: str | None


def named_images(root: Path = ROOT) -> list[Image]:
    """Return every image of somebody else that the repository names, in order of the files."""
    return [image for pattern in _PLACES for file in sorted(root.glob(pattern)) for image in _in(file)]


def pin_images(root: Path = ROOT) -> list[Image]:
    """Write the digest behind each tag that has none and return what was pinned.

    Raises:
        Refused: there is no Docker client, or it does not learn the digest.
    """
    pinned = [
        Image(file=image.file, tagged=image.tagged, digest=_digest_of(image.tagged))
        for image in named_images(root)
        if image.digest is None
    ]
    for image in pinned:
        text = image.file.read_text()
        image.file.write_text(re.sub(rf"(?<=\s){re.escape(image.tagged)}(?!@)", f"{image.tagged}@{image.digest}", text))
    return pinned


def _in(file: Path) -> Iterator[Image]:
    text = file.read_text()
    stages = set(re.findall(r"^FROM\s.*\sAS\s+(\S+)", text, re.MULTILINE | re.IGNORECASE))
    for found in _NAMED.finditer(text):
        tagged, _, digest = found["image"].strip("\"'").partition("@")
        if tagged not in stages and not _OURS.search(tagged):
            yield Image(file=file, tagged=tagged, digest=digest or None)


def _digest_of(tagged: str) -> str:
    command = ["docker", "buildx", "imagetools", "inspect", "--format", "{{.Manifest.Digest}}", tagged]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_ASK_SECONDS, check=False)
    except FileNotFoundError as exc:
        raise Refused("there is no docker command; run this where Docker with buildx is installed") from exc
    except subprocess.TimeoutExpired as exc:
        raise Refused(f"no answer about {tagged} within {_ASK_SECONDS} s") from exc
    digest = done.stdout.strip()
    if done.returncode or not _DIGEST.fullmatch(digest):
        raise Refused(f"docker does not know the digest of {tagged}: {done.stderr.strip() or digest or 'no answer'}")
    return digest
