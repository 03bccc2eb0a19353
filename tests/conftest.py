"""The pipeline that end-to-end and chaos tests run against."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.pipeline import Pipeline
from tests.support.sender import Sender

# Away from every default port: a pipeline of the developer may run meanwhile.
_VARIABLES = {
    "PORT_OFFSET": "20000",
    "STATE_DIR": ".local-e2e",
    "SIGNALS_PER_SECOND": "0",
    "REPLAY_DELAYS_SECONDS": "1,1,1",
}


def pytest_configure(config: pytest.Config) -> None:
    """Name the one marker of the suite."""
    config.addinivalue_line("markers", "long: a chaos cell that runs only when tests/chaos is asked for by name")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long chaos cells out of a run of everything."""
    if any("chaos" in argument for argument in config.args):
        return
    left_out = [item for item in items if item.get_closest_marker("long")]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session")
def pipeline() -> Iterator[Pipeline]:
    """The whole pipeline, started from nothing by its own command and removed afterwards."""
    variables = {name: os.environ.get(f"E2E_{name}", value) for name, value in _VARIABLES.items()}
    running = Pipeline(variables=variables)
    keep = bool(os.environ.get("E2E_KEEP"))  # to repeat a test while writing it
    if not keep:
        running.local("clean")
    try:
        running.local("up")
        yield running
    finally:
        if not keep:
            running.local("clean")


@pytest.fixture
async def sender(pipeline: Pipeline, tmp_path: Path) -> AsyncIterator[Sender]:
    """A sender with an empty ledger."""
    async with Sender(pipeline.settings, tmp_path / "ledger.jsonl") as opened:
        yield opened
