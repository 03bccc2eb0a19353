"""Requests that share a write: each gets its own verdict, whatever becomes of the others."""

import asyncio
from collections.abc import Sequence

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from signal_pipeline.domain.failures import Failure
from signal_pipeline.errors import DependencyUnavailable
from signal_pipeline.events.envelope import CloudEvent
from signal_pipeline.serving.app import FunctionApp
from signal_pipeline.serving.coalescing import Coalescer
from signal_pipeline.serving.function import Function
from signal_pipeline.serving.metrics_page import MetricsPage
from signal_pipeline.settings import Settings
from tests.support.asgi import call
from tests.unit.serving.coalescing_store import BYTES, REJECTED, Store, coalescer, event


async def submitted(gathering: Coalescer, *ids: str) -> "list[asyncio.Task[Failure | None]]":
    """Submit events, each in a task of its own, and let all of them get as far as waiting."""
    tasks = [asyncio.create_task(gathering.submit(event(each))) for each in ids]
    await asyncio.sleep(0)
    return tasks


async def test_the_first_event_is_written_at_once() -> None:
    """An event that finds no write under way waits for nothing: its write begins without any other event."""
    store = Store()
    (first,) = await submitted(coalescer(store), "a")
    await asyncio.wait_for(store.busy.wait(), 1)
    assert store.writes == [["a"]]
    store.gate.set()
    assert await first is None


async def test_what_comes_while_a_write_is_busy_shares_the_next() -> None:
    """Events gather while a write is under way, and are written together in the order in which they came."""
    store = Store()
    gathering = coalescer(store)
    tasks = await submitted(gathering, "a")
    await store.busy.wait()
    tasks += await submitted(gathering, "b", "c", "d")
    store.gate.set()
    assert await asyncio.gather(*tasks) == [None] * 4
    assert store.writes == [["a"], ["b", "c", "d"]]


async def test_each_event_gets_its_own_verdict() -> None:
    """An event that is refused costs its neighbours in the same write nothing."""
    gathering = coalescer(Store(open_gate=True))
    assert await asyncio.gather(*await submitted(gathering, "a", "bad", "b")) == [None, REJECTED, None]


async def test_a_passing_failure_is_everybodys() -> None:
    """A write that fails because a dependency is down is not tried again for each event: all are told at once."""
    store = Store(open_gate=True)
    results = await asyncio.gather(*await submitted(coalescer(store), "a", "down", "b"), return_exceptions=True)
    assert [type(each) for each in results] == [DependencyUnavailable] * 3
    assert store.writes == [["a", "down", "b"]]


async def test_a_culprit_fails_alone() -> None:
    """A write that fails whole for another reason is made again for each event, and only the culprit fails."""
    store = Store(open_gate=True)
    results = await asyncio.gather(*await submitted(coalescer(store), "a", "bug", "b"), return_exceptions=True)
    assert (results[0], results[2]) == (None, None)
    assert repr(results[1]) == "ValueError('bug')"
    assert store.writes == [["a", "bug", "b"], ["a"], ["bug"], ["b"]]


async def test_an_outage_while_events_are_tried_alone_ends_the_trial() -> None:
    """What fails in passing while events are written alone is told to the rest without a write for each."""
    store = Store(open_gate=True)
    results = await asyncio.gather(*await submitted(coalescer(store), "a", "bug", "b", "c"), return_exceptions=True)
    assert [results[0], results[2], results[3]] == [None] * 3
    store.writes.clear()

    async def falls(events: Sequence[CloudEvent]) -> list[Failure | None]:
        store.writes.append([each.id for each in events])
        raise DependencyUnavailable("gone") if len(store.writes) > 2 else ValueError("whole")

    falling = Coalescer(falls, most_bytes=BYTES)
    results = await asyncio.gather(*await submitted(falling, "a", "b", "c", "d"), return_exceptions=True)
    assert [type(each).__name__ for each in results] == ["ValueError"] + ["DependencyUnavailable"] * 3
    assert store.writes == [["a", "b", "c", "d"], ["a"], ["b"]]


async def test_a_client_that_goes_away_takes_nobody_with_it() -> None:
    """A cancelled request ends neither the write that it shares nor the wait of the others."""
    store = Store()
    gathering = coalescer(store)
    first, gone = await submitted(gathering, "a", "gone")
    await store.busy.wait()
    waiting, left = await submitted(gathering, "b", "left")
    gone.cancel()
    left.cancel()
    await asyncio.sleep(0)
    store.gate.set()
    assert (await first, await waiting) == (None, None)
    assert gone.cancelled()
    assert store.writes == [["a", "gone"], ["b"]]  # one that left before its write began is not written


async def test_draining_waits_for_writes_that_nobody_awaits() -> None:
    """After `drain` no write is under way, also when every client has gone away."""
    store = Store()
    gathering = coalescer(store)
    (gone,) = await submitted(gathering, "a")
    await store.busy.wait()
    gone.cancel()
    draining = asyncio.create_task(gathering.drain())
    await asyncio.sleep(0)
    assert not draining.done()
    store.gate.set()
    await asyncio.wait_for(draining, 1)
    assert store.at_once == 0
    await gathering.drain()


class Slow(Function):
    """A role whose writes wait at a gate."""

    name = "process-signal"
    writes_together = True

    def __init__(self, store: Store) -> None:
        super().__init__(Settings(_env_file=None), CollectorRegistry())
        self._store = store

    async def handle(self, events: Sequence[CloudEvent]) -> Sequence[Failure | None]:
        """Write to the store."""
        return await self._store.write(events)

    async def close(self) -> None:
        """Find no write under way."""
        assert self._store.at_once == 0


async def test_an_application_closes_its_clients_after_the_last_write() -> None:
    """A stop waits for a write whose client has gone away, before the connections that it uses are closed."""
    store = Store()
    function = Slow(store)
    app = FunctionApp(function, MetricsPage(function.registry, address="127.0.0.1", port=0))
    headers = [("ce-specversion", "1.0"), ("ce-id", "a"), ("ce-source", "web"), ("ce-type", "click")]
    request = asyncio.create_task(call(app, "POST", "/", headers))
    await store.busy.wait()
    request.cancel()
    closing = asyncio.create_task(app.close())
    await asyncio.sleep(0)
    assert not closing.done()
    store.gate.set()
    await asyncio.wait_for(closing, 5)


async def test_a_failure_that_nobody_awaits_is_logged() -> None:
    """An error whose clients have all gone away is in the log: it must not vanish."""
    store = Store()
    gathering = coalescer(store)
    (gone,) = await submitted(gathering, "bug")
    await store.busy.wait()
    gone.cancel()
    await asyncio.sleep(0)
    store.gate.set()
    with capture_logs() as lines:
        await gathering.drain()
    assert [(line["event"], str(line["exc_info"])) for line in lines] == [("coalesced_write_failed", "bug")]


async def test_a_cancelled_writer_leaves_nobody_waiting() -> None:
    """When the loop ends its tasks, every request ends too, the written and the waiting."""
    store = Store()
    gathering = coalescer(store)
    tasks = await submitted(gathering, "a")
    await store.busy.wait()
    tasks += await submitted(gathering, "b")
    for task in asyncio.all_tasks():
        if task.get_name() == "coalesced write":
            task.cancel()
    results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 1)
    assert [type(each) for each in results] == [asyncio.CancelledError] * 2
    store.gate.set()
    assert await gathering.submit(event("c")) is None  # the next one finds a coalescer that works


async def test_a_write_that_forgets_an_event_is_a_failure() -> None:
    """Verdicts that are fewer than the events are nobody's success."""

    async def forgets(events: Sequence[CloudEvent]) -> list[Failure | None]:
        return [None] * (len(events) - 1)

    with pytest.raises(ValueError, match="zip"):
        await Coalescer(forgets, most_bytes=BYTES).submit(event("a"))
