"""What a command of the product answers, run in this process."""

import re
from collections.abc import Callable

from click.testing import Result

__all__ = ["Access", "refused"]

Access = Callable[..., Result]


def refused(result: Result, said: str) -> None:
    """Check that a command ended with one clear line and no stack."""
    assert result.exit_code == 1, result.output
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert re.search(said, lines[0]), lines[0]
