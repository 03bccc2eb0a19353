"""What a build sees: .dockerignore as Docker reads it."""

from pathlib import Path

import pytest

from local.image.cache import fingerprint
from local.image.context import Context
from local.layout import ROOT

CHECKOUT = Context(ROOT)


def context(folder: Path, ignored: str) -> Context:
    """Return a folder with this .dockerignore."""
    (folder / ".dockerignore").write_text(ignored)
    return Context(folder)


@pytest.mark.parametrize(
    ("ignored", "path", "seen"),
    [
        ("", "a", True),
        ("a", "a", False),
        ("a", "a/b/c", False),
        ("a", "b/a", True),
        ("/a/", "a/b", False),
        ("*", "a/b", False),
        ("*\n!a/b", "a/b/c", True),
        ("*\n!a/b", "a/bc", False),
        ("*\n!a/b", "a/c", False),
        ("*\n!a\n**/x", "a/b/x/y", False),
        ("*\n!a\n**/x", "a/xy", True),
        ("*.pyc", "a.pyc", False),
        ("*.pyc", "b/a.pyc", True),
        ("**/*.pyc", "b/c/a.pyc", False),
        ("a?c", "abc", False),
        ("a?c", "a/c", True),
        ("a\n!a", "a", True),
        ("# a comment\n\na", "a", False),
    ],
)
def test_the_last_pattern_that_matches_decides(tmp_path: Path, ignored: str, path: str, seen: bool) -> None:  # noqa: FBT001
    """A pattern means a path and all below it; `!` lets in again; stars stay in one folder, two stars do not."""
    assert context(tmp_path, ignored).sees(path) is seen


def test_a_pattern_that_is_not_known_is_refused(tmp_path: Path) -> None:
    """Brackets would be matched otherwise by Docker than here."""
    with pytest.raises(ValueError, match="brackets"):
        context(tmp_path, "a[bc]")


@pytest.mark.parametrize(
    "path",
    [
        ".env", ".git/config", ".local/run/x", ".local-2/secure/x", ".venv/bin/python", "tests/x.py", "local/x",
        "signal_pipeline/__pycache__/cli.pyc", "functions/emit/__pycache__/main.pyc", "backup/x", "docs/adr/x.md",
        "requirements/dev.txt", "secrets/jwt_secret_key", "docker-compose.yml", "deploy/compose/production.yml",
    ],
)  # fmt: skip
def test_a_build_sees_nothing_private(path: str) -> None:
    """Settings, history, state, tests and tools of a checkout are not sent to the engine."""
    assert not CHECKOUT.sees(path)


def test_copying_keeps_modes_and_refuses_what_is_not_seen(tmp_path: Path) -> None:
    """A folder is copied with what a build sees of it; what it sees nothing of is missing, as with an engine."""
    (tmp_path / "in" / "a").mkdir(parents=True)
    (tmp_path / "in" / "a" / "x").write_text("1")
    (tmp_path / "in" / "a" / "x").chmod(0o755)
    (tmp_path / "in" / "a" / "hidden").write_text("2")
    made = context(tmp_path / "in", "a/hidden\nb")
    made.copy("a", tmp_path / "out")
    assert [(each.name, each.stat().st_mode & 0o777) for each in (tmp_path / "out").iterdir()] == [("x", 0o755)]
    (tmp_path / "in" / "b").write_text("3")
    with pytest.raises(FileNotFoundError):
        made.copy("b", tmp_path / "out2")


def test_the_fingerprint_is_that_of_what_is_copied(tmp_path: Path) -> None:
    """Content, mode, name and arguments count; a file that no COPY names does not."""
    recipe = tmp_path / "recipe"
    recipe.write_text(f"FROM a:1@sha256:{'0' * 64}\nARG A=a\nCOPY $A $A\n")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_text("1")
    seen = Context(tmp_path)

    def now(**arguments: str) -> str:
        return fingerprint(seen, arguments, recipe)

    first = now()
    (tmp_path / "b").write_text("not copied")
    assert now() == first
    (tmp_path / "a" / "x").chmod(0o755)
    second = now()
    (tmp_path / "a" / "x").write_text("2")
    third = now()
    assert len({first, second, third, now(A="b")}) == 4
