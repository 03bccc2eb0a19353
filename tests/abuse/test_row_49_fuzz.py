"""Row 49: a short run of `make fuzz`, with requests that are the same each time."""

import subprocess
import sys

from tests.contract.conftest import ROOT


def test_row_49_no_request_breaks_anything() -> None:
    """Of 6,000 mutated requests none is answered 5xx, only what was accepted is stored, and memory stays flat."""
    command = [sys.executable, "-m", "tests.abuse.fuzz", "--requests", "6000", "--seed", "49", "--seconds", "120"]
    command += ["--examples", "0"]  # test_row_49_schemathesis.py
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("3000 requests") == 2
