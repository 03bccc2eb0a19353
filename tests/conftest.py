"""The pipeline that end-to-end and chaos tests run against."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.pipeline import Pipeline, own_pipeline
from tests.support.sender import Sender


def pytest_configure(config: pytest.Config) -> None:
    """Name the one marker of the suite."""
    config.addinivalue_line("markers", "long: a chaos cell that runs only when tests/chaos is asked for by name")


@pytest.hookimpl(tryfirst=True)  # before the plug-in reads the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long chaos cells out of a run of everything; say what one process of a parallel run keeps together."""
    for item in items:
        if group := _group(item):
            item.add_marker(pytest.mark.xdist_group(group))
    if any("chaos" in argument for argument in config.args):
        return
    left_out = [item for item in items if item.get_closest_marker("long")]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


def _group(item: pytest.Item) -> str:
    """Return the group of a test: those of a whole pipeline and those of single servers, one after another each."""
    folder = item.path.relative_to(Path(__file__).parent).parts[0]
    if folder in {"e2e", "chaos"} or "pipeline" in getattr(item, "fixturenames", ()):
        return "pipeline"
    return "" if folder in {"unit", "checker"} else "servers"


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
