"""Generated files are those that the present sources give."""

import re
from pathlib import Path

import pytest

from local.generated import generated_files
from local.layout import ROOT
from signal_pipeline.settings import Settings


@pytest.mark.parametrize("path", generated_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_generated_file_is_up_to_date(path: Path) -> None:
    """After a change of a template or setting, `python -m local generate` was run."""
    assert path.read_text() == generated_files()[path], "run: .venv/bin/python -m local generate"


def test_the_example_environment_holds_every_setting_once() -> None:
    """Each field of the model has one commented line with its default, and nothing else is in the file."""
    names = re.findall(r"^#([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert names == [name.upper() for name in Settings.model_fields]


def test_the_example_environment_changes_nothing(tmp_path: Path) -> None:
    """Copied as it is, it leaves every default in force."""
    copy = tmp_path / ".env"
    copy.write_text((ROOT / ".env.example").read_text())
    assert Settings(_env_file=copy) == Settings(_env_file=None)
