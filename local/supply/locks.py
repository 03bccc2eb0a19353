"""Reads the locked requirements: names, versions, hashes, and who asked for what."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from local.layout import ROOT

__all__ = ["JAR_SUMS", "LOCKS", "Jar", "Pinned", "read_jars", "read_lock", "requirement_name"]

# In the order in which one constrains the next; the last is for an environment of its own.
LOCKS = tuple(ROOT / "requirements" / f"{name}.txt" for name in ("runtime", "otel", "dev", "cloudevents2"))
JAR_SUMS = ROOT / "local" / "kafka" / "sha256sums"

_PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)(?:\s*;[^\\]*)?\s*\\?$")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})\b")
_NAME = re.compile(r"^[A-Za-z0-9._-]+")
# The version is the last part that begins with a digit: log4j-slf4j-impl-2.25.1.jar, kafka_2.13-4.3.1.jar.
_JAR = re.compile(r"^(?P<name>.+?)-(?P<version>\d[^/]*?)(?:-plugin)?\.(?:jar|tar\.gz)$")


@dataclass(frozen=True, kw_only=True)
class Pinned:
    """One requirement of a lock.

    Attributes:
        name: The distribution's name, normalized.
        version: The one version that is allowed.
        hashes: SHA-256 of each file that is allowed, in hexadecimal.
        via: The distributions that ask for it, normalized, `signal-pipeline` among them; files are left out.
    """

    name: str
    version: str
    hashes: tuple[str, ...]
    via: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Jar:
    """One file of the JVM part: name and version from the file's name, and its SHA-256 in hexadecimal."""

    name: str
    version: str
    sha256: str


def requirement_name(text: str) -> str:
    """Return the normalized name of a requirement such as `PyJWT[crypto]>=2`; `ValueError` when it has none."""
    found = _NAME.match(text.strip())
    if found is None:
        raise ValueError(f"no requirement: {text!r}")
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def read_lock(path: Path) -> list[Pinned]:
    """Return the requirements of a lock in its order.

    Raises:
        ValueError: a line is neither a pinned requirement, nor a hash, nor a comment.
    """
    return [_pinned(lines) for lines in _entries(path)]


def read_jars(path: Path = JAR_SUMS) -> list[Jar]:
    """Return the files that the list of checksums allows, in its order; `ValueError` for a line of another form."""
    return [_jar(line) for line in path.read_text().splitlines()]


def _entries(path: Path) -> Iterator[list[str]]:
    entry: list[str] = []
    for line in path.read_text().splitlines():
        if line and not line[0].isspace() and not line.startswith("#"):
            if entry:
                yield entry
            entry = []
        entry.append(line)
    if entry:
        yield entry


def _pinned(lines: list[str]) -> Pinned:
    found = _PINNED.match(lines[0])
    if found is None:
        raise ValueError(f"not pinned to one version: {lines[0]!r}")
    rest = [line.strip() for line in lines[1:]]
    odd = [line for line in rest if not line.startswith("#") and not _HASH.match(line)]
    if odd:
        raise ValueError(f"{found['name']}: neither a hash nor a comment: {odd[0]!r}")
    comments = (line.removeprefix("#").removeprefix(" via").strip() for line in rest if line.startswith("#"))
    askers = (word for word in comments if word and not word.startswith("-"))
    return Pinned(
        name=requirement_name(found["name"]),
        version=found["version"],
        hashes=tuple(hashed for line in rest for hashed in _HASH.findall(line)),
        via=tuple(sorted(requirement_name(word) for word in askers)),
    )


def _jar(line: str) -> Jar:
    digest, _, file = line.partition("  ")
    found = _JAR.match(Path(file).name)
    if found is None or not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise ValueError(f"not a checksum of a versioned file: {line!r}")
    return Jar(name=found["name"], version=found["version"], sha256=digest)
