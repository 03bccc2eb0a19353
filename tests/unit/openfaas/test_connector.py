"""What runs is what the gateway has deployed; schedules show it, as they need no broker."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from signal_pipeline.errors import ConfigurationError
from signal_pipeline.settings import Settings
from signal_pipeline.trigger.openfaas.main import run_connector
from tests.support.gateway import FakeGateway

DEADLINE_SECONDS = 20
Check = Callable[[], Awaitable[bool] | bool]


class Run:
    """A connector that runs, and its gateway.

    Attributes:
        gateway: Whom it asks.
        folder: Its manifests.
        stop: What ends it.
    """

    def __init__(self, gateway: FakeGateway, folder: Path, port: int) -> None:
        self.gateway = gateway
        self.folder = folder
        self.stop = asyncio.Event()
        self._page = f"http://127.0.0.1:{port}"

    def schedule(self, name: str, *, interval: str = "PT0.01S", path: str = "/tick") -> None:
        """Write the manifest of a function: a schedule that posts to it."""
        sink = {"ref": {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": name}, "uri": path}
        manifest = {
            "apiVersion": "sources.knative.dev/v1",
            "kind": "PingSource",
            "metadata": {"name": f"{name}-tick", "annotations": {"signal-pipeline.dev/interval": interval}},
            "spec": {"contentType": "application/json", "data": "{}", "sink": sink},
        }
        (self.folder / f"{name}.yaml").write_text(json.dumps(manifest))  # JSON is YAML

    def calls(self, name: str, path: str = "tick") -> int:
        """Return how often a function was called."""
        return sum(one.function == name and one.path == path for one in self.gateway.invocations)

    async def more(self, name: str, path: str = "tick") -> None:
        """Wait until a function is called twice from now on: one call may have been under way."""
        before = self.calls(name, path)
        await self.until(lambda: self.calls(name, path) >= before + 2)

    async def looks(self, count: int = 2) -> None:
        """Wait until the connector has asked for the functions so often from now on."""
        before = len(self.gateway.questions)
        await self.until(lambda: len(self.gateway.questions) >= before + count)

    async def until(self, check: Check) -> None:
        """Wait for a condition, at most twenty seconds."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                result = check()
                if result if isinstance(result, bool) else await result:
                    return
                await asyncio.sleep(0.01)

    async def ready(self) -> bool:
        """Tell whether the page says so."""
        async with aiohttp.ClientSession() as session, session.get(f"{self._page}/ready") as answer:
            return answer.status == 200

    async def metrics(self) -> dict[tuple[str, str], float]:
        """Return the page's samples by name and role; a page that is not well formed fails."""
        async with aiohttp.ClientSession() as session, session.get(f"{self._page}/metrics") as answer:
            families = list(text_string_to_metric_families(await answer.text()))
        names = [family.name for family in families]
        assert len(names) == len(set(names))
        return {(one.name, one.labels.get("role", "")): one.value for each in families for one in each.samples}


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator[Run]:
    """A connector that looks every hundredth of a second; its end in order is proven."""
    (tmp_path / "kafka-sinks.yaml").write_text("")
    async with running(tmp_path) as one:
        yield one


@asynccontextmanager
async def running(folder: Path, **settings: Any) -> AsyncIterator[Run]:
    """Run a connector against a gateway."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    async with FakeGateway() as gateway:
        chosen = Settings(_env_file=None, openfaas_url=gateway.url, openfaas_refresh_seconds=0.01, **settings)
        one = Run(gateway, folder, port)
        task = asyncio.create_task(run_connector(chosen, port=port, folder=folder, stop=one.stop))
        await one.looks()
        yield one
        one.stop.set()
        async with asyncio.timeout(DEADLINE_SECONDS):
            assert await task == 0


async def test_functions_come_and_go(run: Run) -> None:
    """A schedule runs through the gateway from the moment its function is deployed until it is removed."""
    run.schedule("ticker")
    assert (await run.metrics())["connector_functions", ""] == 0
    run.gateway.deploy("ticker", "http://127.0.0.1:1")
    await run.more("ticker")
    found = await run.metrics()
    assert (
        found["connector_functions", ""] == found["trigger_up", "ticker"] == found["trigger_up", "kafka-connector"] == 1
    )
    assert found["trigger_tick_failures_total", "ticker"] > 0
    run.gateway.remove("ticker")
    await run.until(lambda: _without(run, "ticker"))
    stopped = run.calls("ticker")
    await run.looks()
    assert run.calls("ticker") == stopped


async def _without(run: Run, role: str) -> bool:
    return not any(named == role for _, named in await run.metrics())


async def test_a_changed_manifest_replaces_what_runs(run: Run) -> None:
    """The old triggers end and the new ones begin, while another function goes on."""
    for name in ("changing", "steady"):
        run.schedule(name)
        run.gateway.deploy(name, "http://127.0.0.1:1")
        await run.more(name)
    run.schedule("changing", path="/other")
    await run.more("changing", "other")
    before = run.calls("changing")
    await run.more("steady")
    assert run.calls("changing") == before


async def test_a_successor_waits_until_its_predecessor_has_ended(run: Run) -> None:
    """While a call of the old trigger is under way the new one does not begin; it begins once that has ended."""
    run.schedule("changing")
    run.gateway.deploy("changing", "http://127.0.0.1:1")
    await run.more("changing")
    run.gateway.held = asyncio.Event()
    held = run.calls("changing")
    await run.until(lambda: run.calls("changing") > held)
    run.schedule("changing", path="/other")
    await run.looks(5)
    assert run.calls("changing", "other") == 0
    run.gateway.held.set()
    await run.more("changing", "other")


async def test_a_gateway_that_is_away_changes_nothing(run: Run) -> None:
    """While nobody tells what is deployed nothing is stopped; it shows in readiness and in a metric."""
    run.schedule("ticker")
    run.gateway.deploy("ticker", "http://127.0.0.1:1")
    await run.more("ticker")
    await run.until(run.ready)
    run.gateway.listing = "no list"
    await run.looks()
    assert not await run.ready()
    assert (await run.metrics())["connector_gateway_up", ""] == 0
    await run.more("ticker")
    await run.gateway.stop()
    failures = (await run.metrics())["trigger_tick_failures_total", "ticker"]
    await run.until(lambda: _failed_more(run, failures))
    run.gateway.listing = None
    await run.gateway.start()
    await run.until(run.ready)
    await run.more("ticker")
    assert (await run.metrics())["connector_gateway_up", ""] == 1


async def _failed_more(run: Run, failures: float) -> bool:
    return (await run.metrics())["trigger_tick_failures_total", "ticker"] > failures


async def test_what_is_wrong_stops_neither_others_nor_itself(run: Run) -> None:
    """A function that was right and is wrong now goes on as it was; one that never was right does not run."""
    for name in ("once-right", "steady", "never-right"):
        run.schedule(name)
    (run.folder / "never-right.yaml").write_text("kind: Nonsense")
    for name in ("once-right", "steady", "never-right"):
        run.gateway.deploy(name, "http://127.0.0.1:1")
    await run.more("once-right")
    (run.folder / "once-right.yaml").write_text("kind: Nonsense")
    await run.looks()
    await run.more("once-right")
    await run.more("steady")
    found = await run.metrics()
    assert (found["connector_refused_functions", ""], found["connector_functions", ""]) == (2, 2)
    assert run.calls("never-right") == 0


async def test_a_source_that_fails_begins_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of one function's trigger is started anew by the next look, and costs no other function anything."""
    failures = 0

    async def fail_first(_: object, stop: asyncio.Event) -> None:
        nonlocal failures
        failures += 1
        if failures == 1:
            raise RuntimeError("broken")
        await stop.wait()

    run.schedule("steady")
    run.gateway.deploy("steady", "http://127.0.0.1:1")
    await run.more("steady")
    monkeypatch.setattr("signal_pipeline.trigger.rate.RateSource.run", fail_first)
    manifest = (Path(__file__).parents[3] / "triggers" / "emit.yaml").read_text()
    (run.folder / "emit.yaml").write_text(manifest)
    run.gateway.deploy("emit", "http://127.0.0.1:1")
    await run.until(lambda: failures == 2)
    assert (await run.metrics())["trigger_up", "emit"] == 1
    await run.more("steady")


async def test_the_end_waits_for_no_gateway(run: Run) -> None:
    """Asked to end while the gateway hangs, it drains at once and not only when the question has timed out."""
    run.schedule("ticker")
    run.gateway.deploy("ticker", "http://127.0.0.1:1")
    await run.more("ticker")
    run.gateway.held_questions = asyncio.Event()
    await run.looks(1)
    run.stop.set()
    await run.until(lambda: _is_down(run))
    run.gateway.held_questions.set()


async def _is_down(run: Run) -> bool:
    return (await run.metrics())["trigger_up", "ticker"] == 0


async def test_a_taken_port_is_said(run: Run) -> None:
    """Two connectors cannot have one page."""
    port = int(run._page.rpartition(":")[2])
    with pytest.raises(ConfigurationError, match=str(port)):
        await run_connector(Settings(_env_file=None), port=port, folder=run.folder, stop=asyncio.Event())
