"""What the recipe leaves in the image, and what it leaves out."""

import importlib.metadata
import importlib.util
import json
import re
import stat
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from local.image.run import can_isolate
from local.layout import ROOT
from local.supply.locks import requirement_name
from signal_pipeline import __version__
from tests.integration.image.conftest import REVISION, Image

# Uncompressed, over the base image; 142 MB are used, most of them binary wheels.
MOST_MEGABYTES = 160
SITE = f"venv/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
# Tries to write everywhere; prints who it is and where it could.
WRITES = """
import os, pathlib
def written(folder):
    try:
        pathlib.Path(folder, 'new').touch()
    except OSError:
        return False
    return True
print(os.getuid(), os.getgid(), [f for f in ('/', '/app', '/app/sql', '/venv', '/usr', '/etc', '/tmp') if written(f)])
"""


def everything(image: Image) -> list[Path]:
    """Return each file, folder and link of the layers."""
    return sorted(image.files.rglob("*"))


def test_how_it_is_run(image: Image) -> None:
    """The configuration is what platforms rely on, and the labels have no address that is nobody's."""
    found = image.configuration
    assert (found.entrypoint, found.cmd) == (["python", "-m", "signal_pipeline"], ["serve"])
    assert (found.user, found.workdir, found.ports, found.stop_signal) == ("10001:10001", "/app", [8080], "SIGTERM")
    assert found.env["PORT"] == "8080"
    assert "ROLE" not in found.env
    assert found.env["PATH"].startswith("/venv/bin:")
    named = {name.removeprefix("org.opencontainers.image."): value for name, value in found.labels.items()}
    assert named.pop("title") == "signal-pipeline"
    assert named.pop("description")
    assert named == {"licenses": "Apache-2.0", "version": __version__, "revision": REVISION}


def test_what_is_in_it(image: Image) -> None:
    """The environment and the product's own folders: no tests, no tools of the checkout, no settings, no history."""
    assert {each.name for each in image.files.iterdir()} == {"app", "venv"}
    app = image.files / "app"
    assert {each.name for each in app.iterdir()} == {
        "docs", "functions", "sbom.cdx.json", "signal_pipeline", "sql", "triggers"
    }  # fmt: skip
    assert [each for each in app.rglob("*") if each.name.startswith((".", "test_")) or each.name == "tests"] == []


def test_its_size(image: Image) -> None:
    """The layers stay below a bound; what makes them grow is looked at."""
    size = sum(each.lstat().st_size for each in everything(image) if not each.is_dir()) / 1_000_000
    print(f"layers: {size:.0f} MB")  # noqa: T201 - with -s, for those who ask
    assert 50 < size < MOST_MEGABYTES


def test_its_modes(image: Image) -> None:
    """Nobody but the owner may write, everybody may read, and no file gives its user another's rights."""
    for each in everything(image):
        if not each.is_symlink():
            mode = each.stat().st_mode
            assert not mode & (stat.S_IWGRP | stat.S_IWOTH | stat.S_ISUID | stat.S_ISGID), each
            assert mode & stat.S_IROTH, each
            assert not each.is_dir() or mode & stat.S_IXOTH, each


def test_it_installs_nothing(image: Image) -> None:
    """There is no pip, setuptools or wheel in its environment, and no program to fetch with."""
    names = {requirement_name(each.name) for each in importlib.metadata.distributions(path=[str(image.files / SITE)])}
    assert not names & {"pip", "setuptools", "wheel"}
    assert not {each.name for each in (image.files / "venv" / "bin").iterdir()} & {"pip", "pip3", "easy_install"}


def test_its_bill_is_what_is_installed(image: Image) -> None:
    """Each distribution stands in the bill in its version; in the bill alone are those that other systems need."""
    bill = json.loads((image.files / "app" / "sbom.cdx.json").read_text())
    listed = {(each["name"], each["version"]) for each in bill["components"]}
    found = importlib.metadata.distributions(path=[str(image.files / SITE)])
    installed = {(requirement_name(each.name), each.version) for each in found}
    lock = (ROOT / "requirements" / "runtime.txt").read_text()
    elsewhere = set(re.findall(r"^([a-z0-9-]+)==(\S+) ;", lock, re.MULTILINE))
    assert installed <= listed
    assert listed - installed <= elsewhere


def test_it_is_compiled_from_its_sources(image: Image) -> None:
    """Each module has its bytecode, which names the hash of its source: no cold start compiles, whatever the times."""
    sources = [each for part in ("signal_pipeline", "functions") for each in (image.files / "app" / part).rglob("*.py")]
    assert len(sources) > 100
    for source in sources:
        code = Path(importlib.util.cache_from_source(str(source))).read_bytes()
        assert code[4:8] == (0b11).to_bytes(4, "little"), source  # by hash, and checked
        assert code[8:16] == importlib.util.source_hash(source.read_bytes()), source


@pytest.mark.skipif(not can_isolate(), reason="NOT CHECKED: a root of its own needs root and mount namespaces")
def test_it_can_write_to_nothing(image: Image, tmp_path: Path) -> None:
    """The image's user is 10001 and finds only /tmp to write to."""
    python = replace(image, configuration=replace(image.configuration, entrypoint=["python", "-c"]))
    process = python.run(tmp_path, (WRITES,), {})
    assert process.wait(30) == 0
    assert (tmp_path / "log").read_text() == "10001 10001 ['/tmp']\n"
