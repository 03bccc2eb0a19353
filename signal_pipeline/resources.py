"""Where the files are that a running part reads beside the code: statements, manifests, contracts.

In the repository and in the image they stand beside the package, at the top level, where people look for them. A wheel
carries them inside the package, so that a function works in any environment and from any folder.
"""

from pathlib import Path
from typing import Final

__all__ = ["CONTRACTS", "SQL", "TRIGGERS"]


def _root(package: Path) -> Path:
    """Return the folder that holds `sql`, `triggers` and `docs`: the package's own `data`, or what it stands in."""
    carried = package / "data"
    return carried if carried.is_dir() else package.parent


_ROOT: Final = _root(Path(__file__).resolve().parent)
SQL: Final = _ROOT / "sql"
TRIGGERS: Final = _ROOT / "triggers"
CONTRACTS: Final = _ROOT / "docs"
