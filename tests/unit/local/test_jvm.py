"""Java's class data archive is made by the first run and used by later ones."""

from pathlib import Path

import pytest

from local.components.jvm import class_data
from local.layout import Layout


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A layout with an empty library folder of its own."""
    monkeypatch.setattr(Layout, "lib", tmp_path)
    return Layout(state=tmp_path / "state")


def _made_by(option: str) -> Path:
    assert option.startswith("-XX:ArchiveClassesAtExit=")
    return Path(option.partition("=")[2])


def test_the_first_run_makes_the_archive_and_the_next_uses_it(layout: Layout) -> None:
    """A complete archive, its header in place, is taken for the next start."""
    _made_by(class_data(layout, "kafka")).write_bytes(b"\xa8\xab\x0b\xf0 classes")
    option, archive = class_data(layout, "kafka").split("=")
    assert option == "-XX:SharedArchiveFile"
    assert Path(archive).read_bytes().endswith(b"classes")


def test_an_archive_that_was_cut_off_is_made_again(layout: Layout) -> None:
    """A JVM that was killed while writing leaves no header; the file goes and the next run makes another."""
    cut_off = _made_by(class_data(layout, "kafka"))
    cut_off.write_bytes(b"\0" * 4096)
    _made_by(class_data(layout, "kafka"))
    assert not cut_off.exists()
