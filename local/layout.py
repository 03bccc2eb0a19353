"""Where the local run keeps its files."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ROOT", "Layout"]

ROOT = Path(__file__).resolve().parent.parent
# Holds PostgreSQL's data when its user cannot enter the checkout; only root gets there, so no one can squat on it.
_REACHABLE_BY_ALL = Path("/var/lib/signal-pipeline")


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The folders of one pipeline.

    Attributes:
        state: Absolute STATE_DIR: data, logs, rendered configuration, process ids.
    """

    state: Path

    @classmethod
    def of(cls, state_dir: Path) -> "Layout":
        """Return the layout of a STATE_DIR, which is relative to the repository's root unless absolute."""
        return cls(state=Path(os.path.abspath(ROOT / state_dir)))  # noqa: PTH100  resolve() would follow a link

    @property
    def lib(self) -> Path:
        """Downloaded jars; shared by all pipelines of this checkout, so a second one downloads nothing."""
        return ROOT / ".local" / "lib"

    @property
    def logs(self) -> Path:
        """One log file per service."""
        return self.state / "logs"

    @property
    def run(self) -> Path:
        """Process ids and the control socket."""
        return self.state / "run"

    @property
    def config(self) -> Path:
        """Configuration files, rendered at each start."""
        return self.state / "config"

    @property
    def data(self) -> Path:
        """What the components store."""
        return self.state / "data"

    @property
    def postgres_fallback(self) -> Path:
        """PostgreSQL's data when its unprivileged user cannot reach `data`; named by the state folder."""
        return _REACHABLE_BY_ALL / hashlib.sha256(str(self.state).encode()).hexdigest()[:12]

    def make(self) -> None:
        """Create the folders; only the owner may talk to the supervisor."""
        for folder in (self.state, self.logs, self.config, self.data):
            folder.mkdir(parents=True, exist_ok=True)
        self.run.mkdir(mode=0o700, exist_ok=True)
