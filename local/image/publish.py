"""Builds the images with Docker: those of compose, and with a registry those of the platforms.

One build of the functions' image gets every name: compose's, and for each role `REGISTRY/signal-pipeline/<role>` with
the version and the commit, as stack.yml and the manifests name it. So all roles run the same digest.
"""

import os
import subprocess
from dataclasses import dataclass
from typing import Final

from local.layout import ROOT
from local.supervisor import Refused
from signal_pipeline import __version__
from signal_pipeline.topology import ROLES

__all__ = ["Order", "build_images", "commands"]

_NAME: Final = "signal-pipeline"
_ASK_SECONDS: Final = 20


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to build.

    Attributes:
        registry: Where the platforms fetch from, such as `registry.example/team`; empty: compose's images alone.
        push: Send them there, with a bill of materials and the provenance of the build attached.
        requirements: Which lock: `runtime`, or `otel` to trace as well.
        revision: The commit, with `-dirty` when files differ from it.
        epoch: The commit's time in seconds since 1970, which becomes that of the images.
    """

    registry: str
    push: bool
    requirements: str
    revision: str
    epoch: str


def build_images(*, registry: str, push: bool, requirements: str) -> list[str]:
    """Build the images and return their names.

    Raises:
        Refused: Docker or buildx is missing or does not answer, the checkout is not at a commit, or a build failed.
    """
    if push and not registry:
        raise Refused("PUSH=1 needs REGISTRY=host/path: where the images go")
    _check_docker()
    revision = _git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    if push and revision.endswith("-dirty"):
        raise Refused("files differ from the commit, which the images would name: commit them, then push")
    epoch = _git("log", "-1", "--format=%ct")
    order = Order(registry=registry, push=push, requirements=requirements, revision=revision, epoch=epoch)
    for command in commands(order):
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            raise Refused("the build failed; its last lines say where")
    return [*_names(order), f"{_NAME}-kafka:local"]


def commands(order: Order) -> list[list[str]]:
    """Return the commands that build: the functions' image, then that of Kafka, which only compose uses."""
    # Docker's own store takes no attestations, so they are made where they can go.
    ending = ["--push", "--sbom=true", "--provenance=mode=max"] if order.push else ["--load", "--provenance=false"]
    values = {
        "SOURCE": ".",
        "REQUIREMENTS": order.requirements,
        "BUILD": order.revision,
        "VERSION": __version__,
        "SOURCE_DATE_EPOCH": order.epoch,
    }
    build = ["docker", "buildx", "build"]
    arguments = [part for name, value in values.items() for part in ("--build-arg", f"{name}={value}")]
    tags = [part for name in _names(order) for part in ("--tag", name)]
    functions = [*build, "--file", "template/python-signal/Dockerfile", *arguments, *tags, *ending, "."]
    kafka = [*build, "--build-arg", f"SOURCE_DATE_EPOCH={order.epoch}", "--tag", f"{_NAME}-kafka:local"]
    return [functions, [*kafka, "--load", "--provenance=false", "local/kafka"]]


def _names(order: Order) -> list[str]:
    """Return the names of the functions' image; one that is pushed has none without a registry."""
    versions = (__version__, order.revision) if order.registry else ()
    roles = [f"{order.registry}/{_NAME}/{role.name}:{version}" for role in ROLES for version in versions]
    return roles if order.push else [f"{_NAME}:local", *roles]


def _check_docker() -> None:
    advice = "process mode needs none of it: make up MODE=process"
    for words, missing in (
        (["docker", "info"], "no Docker engine answers: start it, or set DOCKER_HOST to one"),
        (["docker", "buildx", "version"], "docker has no buildx: install the package docker-buildx-plugin"),
    ):
        try:
            done = subprocess.run(words, capture_output=True, timeout=_ASK_SECONDS, check=False, env=os.environ)
        except FileNotFoundError as exc:
            raise Refused(f"there is no docker command: install Docker with buildx; {advice}") from exc
        except subprocess.TimeoutExpired as exc:
            raise Refused(f"{missing}; {advice}") from exc
        if done.returncode:
            raise Refused(f"{missing}; {advice}")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused("the images name the commit that they are made of, and here is none: clone the repository")
    return done.stdout.strip()
