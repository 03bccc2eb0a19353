"""The pipeline that end-to-end and chaos tests run against."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.support.pipeline import Pipeline, own_pipeline
from tests.support.sender import Sender


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


class Folders(LoadScopeScheduling):
    """Spreads tests over processes: a whole pipeline has one, single servers have one, the rest goes where room is."""

    def _split_scope(self, nodeid: str) -> str:
        folder = Path(nodeid.partition("::")[0]).parts[1]
        if folder in {"unit", "checker"}:
            return super()._split_scope(nodeid)
        return "pipeline" if folder in {"chaos", "e2e"} else "servers"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Folders:
    """Give a parallel run its scheduler."""
    return Folders(config, log)


@pytest.fixture(scope="session")
def pipeline() -> Iterator[Pipeline]:
    """The whole pipeline, started from nothing by its own command and removed afterwards.

    With SECURE=1 in the environment it is a secured one, and the same tests hold.
    """
    running = own_pipeline(
        "e2e",
        SIGNALS_PER_SECOND="0",
        REPLAY_DELAYS_SECONDS="1,1,1",
        REPLAY_MAX_LIVE_LAG="1000",
        OTEL_EXPORTER_OTLP_ENDPOINT="",  # spans of a developer would stand between a request and what it causes
    )
    try:
        running.up()
        yield running
    finally:
        running.local("clean")


@pytest.fixture
async def sender(pipeline: Pipeline, tmp_path: Path) -> AsyncIterator[Sender]:
    """A sender with an empty ledger."""
    async with Sender(pipeline.settings, tmp_path / "ledger.jsonl") as opened:
        yield opened
