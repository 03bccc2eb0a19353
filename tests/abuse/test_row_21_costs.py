"""Row 21: small input that would be large when unpacked is refused before it is."""

import json
import subprocess
import sys

import pytest

from tests.abuse.measured import COSTLY
from tests.contract.conftest import ROOT


@pytest.mark.parametrize("name", COSTLY)
def test_row_21_what_it_costs(name: str) -> None:
    """The answer takes under 100 ms of processor time and 20 MB more than the process had; nothing is produced."""
    command = [sys.executable, "-m", "tests.abuse.measured", name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["status"] in COSTLY[name][1], found
    assert found["produced"] == 0
    assert found["milliseconds"] < 100, found
    assert found["mebibytes"] < 20, found
