"""Images: which are named, by what; what runs in them as whom, and what it may do."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.layout import ROOT
from local.supervisor import Refused
from local.supply.images import named_images, pin_images
from signal_pipeline.settings import Settings

CONTAINERS: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
RECIPES = [*ROOT.glob("template/**/Dockerfile"), *ROOT.glob("local/**/Dockerfile")]
# Digests that nobody here could learn; `make pin-images` writes them where Docker is. The tag is exact until then.
WITHOUT_DIGEST = {"grafana/grafana:11.6.1"}
# Owns /acme, a volume that its image does not prepare for another user; has no capability at all.
ROOT_WITHOUT_CAPABILITIES = {"traefik"}
OURS = {"signal-pipeline", "signal-pipeline-kafka"}
SECRETS = {name.upper() for name in Settings.model_fields if re.search("secret|password|api_key", name)}
DIGEST = "sha256:" + "0123456789abcdef" * 4
each_container = pytest.mark.parametrize("name", CONTAINERS)
each_recipe = pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: str(path.relative_to(ROOT)))


def test_every_image_is_pinned_by_digest() -> None:
    """Each image of somebody else has a digest, or an exact tag where the digest is not known."""
    images = named_images()
    assert {image.tagged for image in images if image.digest is None} == WITHOUT_DIGEST
    assert [image.tagged for image in images if not re.search(r":v?\d+\.\d+\.\d+|:\d+\.\d+-", image.tagged)] == []
    assert [
        image.tagged for image in images if image.digest and not re.fullmatch("sha256:[0-9a-f]{64}", image.digest)
    ] == []


def test_every_place_that_names_images_is_read() -> None:
    """What compose and the recipes take from elsewhere is in the list, stages of a build are not."""
    named = {image.tagged.split(":")[0] for image in named_images()}
    taken = {"python", "maven", "eclipse-temurin"}
    assert named == taken | {box["image"].split(":")[0] for box in CONTAINERS.values()} - OURS


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A checkout with one image without a digest, one with, and one that is built there."""
    (tmp_path / "docker-compose.yml").write_text(
        f"services:\n  a:\n    image: name/a:1.2.3\n  b:\n    image: b:1.0.0@{DIGEST}\n"
        "  c:\n    image: signal-pipeline:local\n"
    )
    return tmp_path


def docker(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a docker command of its own on PATH."""
    (folder / "docker").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_pinning_writes_what_docker_says(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The digest goes behind the tag; what has one, and what is built here, stays."""
    docker(tmp_path, f'test "$6" = name/a:1.2.3 && echo {DIGEST}', monkeypatch)
    assert [image.tagged for image in pin_images(tree)] == ["name/a:1.2.3"]
    assert [(image.tagged, image.digest) for image in named_images(tree)] == [
        ("name/a:1.2.3", DIGEST),
        ("b:1.0.0", DIGEST),
    ]
    assert pin_images(tree) == []


@pytest.mark.parametrize("script", ["echo unreachable >&2; exit 1", "echo sha256:123", "true"])
def test_pinning_writes_nothing_without_a_digest(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    """An error, half a digest or no answer is refused, and the file stays as it is."""
    docker(tmp_path, script, monkeypatch)
    before = (tree / "docker-compose.yml").read_text()
    with pytest.raises(Refused, match=r"name/a:1\.2\.3"):
        pin_images(tree)
    assert (tree / "docker-compose.yml").read_text() == before


def test_pinning_without_docker_says_so(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the command the message names what is missing."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refused, match="no docker command"):
        pin_images(tree)


@each_container
def test_a_container_can_do_little(name: str) -> None:
    """The root file system is read-only, there are no capabilities, and no way to gain any."""
    container = CONTAINERS[name]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert "cap_add" not in container
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "network_mode", "pid", "ipc", "devices"} & container.keys()
    assert not any("docker.sock" in mount for mount in container.get("volumes", ()))


@each_container
def test_no_container_runs_as_root(name: str) -> None:
    """Either the image's recipe is ours and sets a user, or compose does; one exception has no capability."""
    container = CONTAINERS[name]
    if name not in ROOT_WITHOUT_CAPABILITIES:
        ours = container["image"].split(":")[0] in OURS
        assert ours or container.get("user") not in {None, "root", "0"}


def test_each_image_of_ours_is_built_once_and_never_fetched() -> None:
    """Two builds of one name at once fail where the second meets the first's image; no registry has what is ours."""
    ours = {name: box for name, box in CONTAINERS.items() if box["image"].split(":")[0] in OURS}
    assert {name: box["image"] for name, box in ours.items() if "build" in box} == {
        "migrate": "signal-pipeline:local",
        "kafka": "signal-pipeline-kafka:local",
    }
    assert {box["pull_policy"] for box in ours.values()} == {"never"}


@each_container
def test_configuration_is_mounted_read_only(name: str) -> None:
    """Whatever comes from the host cannot be written to."""
    mounts = [mount for mount in CONTAINERS[name].get("volumes", ()) if mount.startswith((".", "/", "$"))]
    assert [mount for mount in mounts if not mount.endswith(":ro")] == []


@each_container
def test_ports_are_published_on_this_machine_only(name: str) -> None:
    """Without a setting nothing is reachable from elsewhere."""
    for port in CONTAINERS[name].get("ports", ()):
        assert port.startswith(("${BIND_ADDRESS:-127.0.0.1}:", "${GATEWAY_BIND_ADDRESS:-${BIND_ADDRESS:-127.0.0.1}}:"))


@each_recipe
def test_a_recipe_ends_without_root_and_build_tools(recipe: Path) -> None:
    """The last stage begins anew, ends as a numbered user, and takes from the first only what runs."""
    stages = re.split(r"^FROM ", recipe.read_text(), flags=re.MULTILINE)[1:]
    assert len(stages) == 2
    assert re.findall(r"^USER (.*)$", stages[-1], re.MULTILINE) == ["10001:10001"]
    assert not re.search(r"apt-get|mvn|gcc|pip\S* install|curl|wget|ADD ", stages[-1])
    assert "org.opencontainers.image.licenses" in stages[-1]


def test_what_runs_can_install_nothing() -> None:
    """The image of the functions has no pip, neither in its environment nor beside it."""
    text = (ROOT / "template" / "python-signal" / "Dockerfile").read_text()
    assert "venv --without-pip" in text
    assert "pip uninstall --yes --root-user-action ignore setuptools wheel pip" in text
    assert "rm -r /usr/local/lib/python3.11/ensurepip" in text  # it holds the wheel of pip


@each_recipe
def test_no_secret_gets_into_an_image(recipe: Path) -> None:
    """No secret is an argument or a variable of a build, and none is copied."""
    text = recipe.read_text()
    declared = {
        word for line in re.findall(r"^(?:ARG|ENV) (.*(?:\\\n.*)*)", text, re.MULTILINE) for word in line.split()
    }
    assert not SECRETS & {word.partition("=")[0] for word in declared}
    copied = re.findall(r"^COPY (.*)$", text, re.MULTILINE)
    assert copied
    assert not [line for line in copied if re.search(r"\.env|\.local|\.git|(^|\s)\.(\s|$)", line)]


def test_builds_see_only_what_they_name() -> None:
    """The ignore file begins with everything and lets through folders by name: no .env, .local or .git."""
    lines = (ROOT / ".dockerignore").read_text().split()
    assert lines[0] == "*"
    allowed = [line[1:] for line in lines if line.startswith("!")]
    assert [name for name in allowed if name.startswith(".") or "*" in name or not (ROOT / name).exists()] == []
    locks = {f"requirements/{lock}.{kind}" for lock in ("runtime", "otel") for kind in ("txt", "cdx.json")}
    copied = re.findall(r"COPY \$\{SOURCE\}/(\S+)", (ROOT / "template/python-signal/Dockerfile").read_text())
    assert set(allowed) == {name for name in copied if "$" not in name} | locks


def test_builds_take_no_secret() -> None:
    """The arguments that compose gives to builds are settings of the build."""
    arguments = {name for box in CONTAINERS.values() for name in box.get("build", {}).get("args", {})}
    assert arguments == {"SOURCE", "BUILD", "VERSION", "REQUIREMENTS"}
