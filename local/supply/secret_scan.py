"""Looks for secrets in the tracked files and in what any commit ever added.

A secret is known by its form (a private key, a token with a prefix of its own) or by where it stands: between `user:`
and `@` of an address, or behind `password=` when it is random. Development defaults, and what tests make up, stand in
`ALLOWED` with the reason; a line can also say so itself, with the words `not a secret`.
"""

import math
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from local.layout import ROOT

__all__ = ["ALLOWED", "Finding", "scan_files", "scan_history", "scan_line"]

# In parts, so that this table is no hit of its own.
_KEY_BEGIN = "-----BEGIN" + r" (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"
FORMS = {
    "private key": re.compile(_KEY_BEGIN),
    "API key of this product": re.compile(r"\bspk_[A-Za-z0-9]{4,}[A-Za-z0-9_-]{16,}"),
    "JSON Web Token": re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
    "AWS key id": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "token of a code host": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{40,}|glpat-[\w-]{20,})"),
    "token of a chat or payment service": re.compile(r"\b(?:xox[abprs]-[\w-]{10,}|sk_live_[A-Za-z0-9]{16,})"),
}
_IN_ADDRESS = re.compile(r"[a-z][a-z0-9+]*://[^\s/:@\"'<>{}$()]+:(?P<value>[^\s/@\"'<>{}$()]+)@")
_ASSIGNED = re.compile(
    r"(?:passw(?:or)?d|secret|token|api[_-]?key|private[_-]?key)[\w-]*[\"']?\s*(?::-|[:=])\s*[\"']?"
    r"(?P<value>[A-Za-z0-9+/_=.-]{16,})",
    re.IGNORECASE,
)
# Random letters and digits of 16 characters have about 3.6 bits each, names and words of programs at most 3.4.
_RANDOM_BITS = 3.5
# A generated secret is longer than a word.
_SHORTEST_SECRET = 16
_HAS_DIGIT = re.compile(r"\d")
_SAYS_SO = re.compile(r"not a secret", re.IGNORECASE)
ALLOWED = {
    "postgres": "development password of the local database",
    "redis123": "documented development default",
    "dev-test-key-123": "documented development default",
    "dev-service-key-123": "documented development default",
    "super-secret-jwt-key-change-in-production": "documented development default",
    "p%40ss%22w%24rd": "made up by a test of passwords with odd characters",
}
# Hashes of packages, and pictures and tables that are generated.
_SKIPPED = re.compile(
    r"^(requirements/.*\.(txt|json)|local/kafka/sha256sums|.*\.svg|monitoring/grafana/dashboards/.*)$"
)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One suspected secret: where it stands, of which kind, and its first characters."""

    place: str
    kind: str
    begins: str

    def __str__(self) -> str:
        return f"{self.place}: {self.kind}: {self.begins}…"


def scan_line(line: str, place: str, allowed: Iterable[str] = ALLOWED) -> list[Finding]:
    """Return what looks like a secret in one line; values that are allowed, and lines that say so, are none."""
    if _SAYS_SO.search(line):
        return []
    known = [(kind, found[0]) for kind, form in FORMS.items() for found in form.finditer(line)]
    known += [("password in an address", found["value"]) for found in _IN_ADDRESS.finditer(line)]
    known += [("assigned value", found["value"]) for found in _ASSIGNED.finditer(line) if _is_random(found["value"])]
    return [
        Finding(place=place, kind=kind, begins=value[:8])
        for kind, value in known
        if value not in set(allowed) and not _is_made_up(value)
    ]


def scan_files(root: Path = ROOT) -> list[Finding]:
    """Return what looks like a secret in the files that git tracks, whether committed yet or not."""
    listed = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    names = [name for name in listed if name and not _SKIPPED.match(name) and (root / name).is_file()]
    return [
        finding
        for name in names
        for number, line in enumerate((root / name).read_bytes().decode(errors="ignore").splitlines(), start=1)
        for finding in scan_line(line, f"{name}:{number}")
    ]


def scan_history(root: Path = ROOT) -> list[Finding]:
    """Return what looks like a secret in any line that a commit of this branch added."""
    log = _git(root, "log", "--patch", "--no-color", "--unified=0", "--no-textconv", "--format=commit %h")
    return [finding for place, line in _added(log) for finding in scan_line(line, place)]


def _added(log: str) -> Iterator[tuple[str, str]]:
    commit = name = ""
    for line in log.splitlines():
        if line.startswith("commit "):
            commit = line.removeprefix("commit ")
        elif line.startswith("+++ "):
            name = line.removeprefix("+++ ").removeprefix("b/")
        elif line.startswith("+") and not _SKIPPED.match(name):
            yield f"{commit} {name}", line[1:]


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True)
    return done.stdout.decode(errors="ignore")


def _is_random(value: str) -> bool:
    """Tell whether it has the entropy of a generated value, and a digit, which words do not have."""
    counts = Counter(value)
    bits = -sum(count / len(value) * math.log2(count / len(value)) for count in counts.values())
    return bits >= _RANDOM_BITS and bool(_HAS_DIGIT.search(value))


def _is_made_up(value: str) -> bool:
    """Tell whether it is plainly a stand-in: a short word in small letters, or mostly one character."""
    one_word = len(value) < _SHORTEST_SECRET and value.isalpha() and value.islower()
    return one_word or Counter(value).most_common(1)[0][1] > len(value) / 2
