"""What is installed is what was locked: each file by its hash, in every place that installs."""

import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from local.layout import ROOT
from local.supply.locks import JAR_SUMS, LOCKS, read_jars, read_lock, requirement_name

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


def lines_of(name: str) -> list[str]:
    """Return the requirements of an .in file."""
    return (ROOT / "requirements" / f"{name}.in").read_text().split("\n")[:-1]


ASKED = {
    "runtime": [*PROJECT["dependencies"], *EXTRAS["framework"], *lines_of("build")],
    "otel": [*PROJECT["dependencies"], *EXTRAS["framework"], *EXTRAS["otel"], *lines_of("build")],
    "dev": lines_of("dev"),
    "cloudevents2": lines_of("cloudevents2"),
}
of_each_lock = pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)


def unmet(lock: Path, asked: list[str]) -> list[str]:
    """Return the requirements that a lock does not hold, or holds in a version that they do not allow."""
    versions = {each.name: each.version for each in read_lock(lock)}
    wanted = [Requirement(text) for text in asked]
    return [
        str(each)
        for each in wanted
        if (found := versions.get(requirement_name(each.name))) is None or found not in each.specifier
    ]


def test_every_lock_is_tested() -> None:
    """The list of locks is the folder's content, so that a new lock cannot escape."""
    assert sorted(LOCKS) == sorted((ROOT / "requirements").glob("*.txt"))


@of_each_lock
def test_each_requirement_is_one_version_with_hashes(lock: Path) -> None:
    """A lock names one version of each distribution and at least one SHA-256 of it; reading refuses anything else."""
    pinned = read_lock(lock)
    assert pinned
    assert [each.name for each in pinned if not each.hashes] == []


@of_each_lock
def test_a_lock_satisfies_what_it_was_made_from(lock: Path) -> None:
    """Each requirement of pyproject.toml and the .in files is in its lock, in a version that is allowed."""
    assert unmet(lock, ASKED[lock.stem]) == [], "run: make lock"


def test_a_lock_that_is_behind_is_found() -> None:
    """A requirement that is newer than the lock, and one that the lock lacks, are both named."""
    assert unmet(LOCKS[0], ["starlette>=99", "no-such-distribution"]) == ["starlette>=99", "no-such-distribution"]


@pytest.mark.parametrize("line", ["starlette", "starlette>=1", "starlette @ file:///tmp/x", "-e .", "--index-url x"])
def test_what_is_not_pinned_is_refused(tmp_path: Path, line: str) -> None:
    """A range, an address, an editable install or an option is no lock."""
    lock = tmp_path / "lock.txt"
    lock.write_text(f"{line} \\\n    --hash=sha256:{'0' * 64}\n")
    with pytest.raises(ValueError, match="not pinned"):
        read_lock(lock)


def test_an_altered_hash_stops_the_installation(tmp_path: Path) -> None:
    """Pip refuses a file whose hash is not the lock's, also when name and version are right."""
    wheel = tmp_path / "locked_thing-1.0-py3-none-any.whl"
    wheel.write_bytes(b"PK\x05\x06" + bytes(18))  # an empty archive: the hash is checked before it is opened
    lock = tmp_path / "lock.txt"
    lock.write_text(f"locked-thing==1.0 --hash=sha256:{'0' * 64}\n")
    venv.create(tmp_path / "venv", with_pip=False)
    pip = [sys.executable, "-m", "pip", "--python", str(tmp_path / "venv"), "install", "--no-index", "--require-hashes"]
    done = subprocess.run(
        [*pip, "--find-links", str(tmp_path), "-r", str(lock)], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr


def test_every_installation_requires_hashes() -> None:
    """Each `pip install` of the installer and the image recipes checks hashes, or installs only this checkout."""
    places = [ROOT / "local" / "install.sh", *ROOT.glob("template/**/Dockerfile"), *ROOT.glob("local/**/Dockerfile")]
    installs = [line for place in places for line in re.findall(r"pip\S*[^\n]* install [^\n]*", place.read_text())]
    assert len(installs) == 3
    for line in installs:
        assert "--require-hashes" in line or "--no-deps --no-build-isolation --editable ." in line, line


def test_npm_packages_have_integrity_and_run_no_scripts() -> None:
    """Each package of the npm lock has a SHA-512, none names an address, and installing runs no package's script."""
    text = (ROOT / "requirements" / "node" / "package-lock.json").read_text()
    packages = re.findall(r'^    "node_modules/[^"]+": \{\n(.*?)^    \}', text, re.MULTILINE | re.DOTALL)
    assert packages
    assert [entry for entry in packages if '"integrity": "sha512-' not in entry] == []
    assert '"resolved"' not in text
    assert "ignore-scripts=true" in (ROOT / "requirements" / "node" / ".npmrc").read_text().splitlines()
    assert re.findall(r"npm (\w+)", (ROOT / "local" / "install.sh").read_text().split("install_node()")[1])[0] == "ci"


def test_each_jar_has_a_checksum_that_both_ways_of_installing_check() -> None:
    """The list has each file once, and the installer and the image both compare with it strictly."""
    jars = read_jars()
    files = [line.split("  ")[1] for line in JAR_SUMS.read_text().splitlines()]
    assert len(set(files)) == len(jars) > 90
    for place in ("local/install.sh", "local/kafka/Dockerfile"):
        assert "sha256sum --check --quiet --strict" in (ROOT / place).read_text(), place


def test_an_altered_jar_is_found(tmp_path: Path) -> None:
    """The installer's check fails for a file of another content."""
    (tmp_path / "a-1.jar").write_bytes(b"other")
    (tmp_path / "sums").write_text(f"{'0' * 64}  a-1.jar\n")
    command = "sha256sum --check --quiet --strict < sums"
    assert subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, check=False).returncode == 1  # noqa: S602
