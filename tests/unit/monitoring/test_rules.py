"""The rules of Prometheus, tested by its own tool: each alert fires when it should, and is silent when it should."""

import subprocess
from pathlib import Path

import pytest

from local.layout import ROOT

FOLDER = ROOT / "monitoring" / "tests"


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.yml")), ids=lambda path: path.stem)
def test_the_alerts_of_a_file(file: Path) -> None:
    """Every case of the file holds."""
    tested = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stdout + tested.stderr
