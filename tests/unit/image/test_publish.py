"""`make images`: what Docker is asked for, and what is said when it cannot be."""

import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from local.image import publish
from local.image.publish import Order, build_images, commands
from local.supervisor import Refused
from signal_pipeline import __version__
from signal_pipeline.topology import ROLES

ORDER = Order(registry="", push=False, requirements="runtime", revision="abc", epoch="1700000000")
REMOTE = Order(registry="host:5000/team", push=True, requirements="otel", revision="abc", epoch="1700000000")


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A docker command that answers, and writes down what it is asked; its folder."""
    (tmp_path / "docker").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\ntest ! -e {tmp_path}/no-"$1"\n')
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(publish, "_git", lambda *words: "abc" if words[0] == "describe" else "1700000000")
    return tmp_path


def values_of(command: list[str], option: str) -> list[str]:
    """Return what follows each use of an option."""
    return [after for before, after in pairwise(command) if before == option]


def test_compose_gets_its_two_images() -> None:
    """Without a registry each image has compose's name alone, stays in the engine, and knows its commit."""
    functions, kafka = commands(ORDER)
    assert values_of(functions, "--tag") == ["signal-pipeline:local"]
    assert values_of(kafka, "--tag") == ["signal-pipeline-kafka:local"]
    assert {"BUILD=abc", f"VERSION={__version__}", "SOURCE=."} <= set(values_of(functions, "--build-arg"))
    assert all("--load" in command and "--push" not in command for command in (functions, kafka))


def test_a_registry_gets_one_image_under_every_name() -> None:
    """Each role has its name with version and commit, in one build, with bill and provenance; lock as asked."""
    functions = commands(REMOTE)[0]
    assert sorted(values_of(functions, "--tag")) == sorted(
        f"host:5000/team/signal-pipeline/{role.name}:{tag}" for role in ROLES for tag in (__version__, "abc")
    )
    assert {"--push", "--sbom=true", "--provenance=mode=max"} <= set(functions)
    assert "REQUIREMENTS=otel" in values_of(functions, "--build-arg")


def test_what_was_built_is_named(docker: Path) -> None:
    """Docker builds both images, and the names come back."""
    assert build_images(registry="", push=False, requirements="runtime") == [
        "signal-pipeline:local",
        "signal-pipeline-kafka:local",
    ]
    asked = (docker / "asked").read_text().splitlines()
    assert asked[:2] == ["info", "buildx version"]
    assert [line.split()[:2] for line in asked[2:]] == [["buildx", "build"]] * 2


@pytest.mark.parametrize(("missing", "said"), [("info", "start it"), ("buildx", "docker-buildx-plugin")])
def test_without_an_engine_it_says_what_to_do(docker: Path, missing: str, said: str) -> None:
    """An engine that does not answer and a missing buildx each have their repair in the message."""
    (docker / f"no-{missing}").touch()
    with pytest.raises(Refused, match=said):
        build_images(registry="", push=False, requirements="runtime")


def test_without_docker_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the command the message names what is missing, and the way without containers."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refused, match=r"no docker command.*MODE=process"):
        build_images(registry="", push=False, requirements="runtime")


def test_pushing_needs_a_place_and_a_commit(docker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent without a registry, nor with a revision that says what is not in any commit."""
    with pytest.raises(Refused, match="REGISTRY"):
        build_images(registry="", push=True, requirements="runtime")
    monkeypatch.setattr(publish, "_git", lambda *_: "abc-dirty")
    with pytest.raises(Refused, match="commit them"):
        build_images(registry="host/team", push=True, requirements="runtime")
    assert "build " not in (docker / "asked").read_text()


def test_a_failed_build_is_a_failure(docker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit status of Docker's build is not lost."""
    monkeypatch.setattr(publish, "_check_docker", lambda: None)
    (docker / "no-buildx").touch()
    with pytest.raises(Refused, match="build failed"):
        build_images(registry="", push=False, requirements="runtime")


def test_the_revision_is_the_whole_commit() -> None:
    """What git says of this checkout is forty digits, and -dirty when files differ."""
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    found = publish._git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    assert found.removesuffix("-dirty") == head
