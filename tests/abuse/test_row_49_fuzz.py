"""Row 49: a short run of `make fuzz`, with requests that are the same each time."""

import subprocess
import sys

from tests.contract.conftest import ROOT


def test_row_49_no_request_breaks_anything() -> None:
    """Of 6,000 mutated requests none is answered 5xx, only what was accepted is stored, and memory stays flat."""
    command = [sys.executable, "-m", "tests.abuse.fuzz", "--requests", "6000", "--seed", "49", "--seconds", "120"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6000 requests" in done.stdout
