"""Requests that share a write: each gets its own verdict, whatever becomes of the others."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from signal_pipeline.domain.failures import Failure, FailureClass
from signal_pipeline.errors import DependencyUnavailable
from signal_pipeline.events.envelope import CloudEvent
from signal_pipeline.serving.app import FunctionApp
from signal_pipeline.serving.coalescing import Coalescer
from signal_pipeline.serving.function import Function
from signal_pipeline.serving.metrics_page import MetricsPage
from signal_pipeline.settings import Settings
from tests.support.asgi import call

BOUND = 5
BYTES = 40
REJECTED = Failure(failure_class=FailureClass.REJECTED, code="23514", detail="no")


def event(event_id: str, size: int = 0) -> CloudEvent:
    """Return an event whose id says how it fares."""
    return CloudEvent(id=event_id, source="web", type="click", data_bytes=b"x" * size)


class Store:
    """A write that waits at a gate, and fails by the ids of its events.

    `bad` is refused by a verdict of its own; `bug` fails the whole write for a reason of its own; `down` fails it for
    a reason that passes.
    """

    def __init__(self, *, open_gate: bool = False) -> None:
        self.writes: list[list[str]] = []
        self.sizes: list[int] = []
        self.busy = asyncio.Event()
        self.gate = asyncio.Event()
        self.at_once = self.most_at_once = 0
        if open_gate:
            self.gate.set()

    async def write(self, events: Sequence[CloudEvent]) -> list[Failure | None]:
        """Note the events and wait."""
        self.writes.append([each.id for each in events])
        self.sizes.append(sum(len(each.data_bytes or b"") for each in events))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.busy.set()
        try:
            await self.gate.wait()
            await asyncio.sleep(0)
        finally:
            self.at_once -= 1
        if any(each.id.startswith("down") for each in events):
            raise DependencyUnavailable("the store is away")
        culprits = [each.id for each in events if each.id.startswith("bug")]
        if culprits:
            raise ValueError(culprits[0])
        return [REJECTED if each.id.startswith("bad") else None for each in events]


def coalescer(store: Store, *, most_writes: int = 1) -> Coalescer:
    """Return a coalescer with small bounds."""
    return Coalescer(store.write, most_bytes=BYTES, most_events=BOUND, most_writes=most_writes)


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


arrivals = st.lists(
    st.tuples(
        st.sampled_from(["ok", "ok", "ok", "bad", "bug", "down"]),
        st.integers(0, BYTES + 10),  # bytes
        st.integers(0, 3),  # turns of the loop before it comes
        st.one_of(st.none(), st.none(), st.integers(0, 4)),  # turns of the loop until its client goes away
    ),
    max_size=30,
)


@given(arrivals=arrivals, most_writes=st.integers(1, 3))
def test_whatever_comes_fails_and_leaves_each_has_its_own_end(
    arrivals: list[tuple[str, int, int, int | None]], most_writes: int
) -> None:
    """Every caller gets the verdict of its own event; events are written once unless alone again; bounds hold."""
    with capture_logs():  # of failures that nobody awaits
        asyncio.run(_check(arrivals, most_writes))


async def _check(arrivals: list[tuple[str, int, int, int | None]], most_writes: int) -> None:
    store = Store(open_gate=True)
    gathering = coalescer(store, most_writes=most_writes)
    tasks: dict[str, asyncio.Task[Failure | None]] = {}
    departures: list[asyncio.Task[None]] = []
    for number, (fate, size, pause, patience) in enumerate(arrivals):
        await _turns(pause)
        name = f"{fate}-{number}"
        tasks[name] = asyncio.create_task(gathering.submit(event(name, size)))
        if patience is not None:
            departures.append(asyncio.create_task(_leave(tasks[name], patience)))
    results = await asyncio.wait_for(asyncio.gather(*tasks.values(), return_exceptions=True), 5)
    await asyncio.gather(gathering.drain(), *departures)
    for name, result in zip(tasks, results, strict=True):
        _check_end(name, result, store)
    _check_writes(arrivals, store, most_writes)
    assert len(asyncio.all_tasks()) == 1  # nothing of it is left but this test


async def _turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def _leave(task: "asyncio.Task[Failure | None]", patience: int) -> None:
    await _turns(patience)
    task.cancel()


def _check_end(name: str, result: object, store: Store) -> None:
    """The end is the event's own, or that its write was shared with one that found the store away."""
    if isinstance(result, asyncio.CancelledError):
        return
    together = [write for write in store.writes if name in write]
    if isinstance(result, DependencyUnavailable):
        assert any(each.startswith("down") for write in together for each in write)
        return
    expected = {"ok": None, "bad": repr(REJECTED), "bug": f"ValueError('{name}')"}[name.partition("-")[0]]
    assert (result if result is None else repr(result)) == expected


def _check_writes(arrivals: list[tuple[str, int, int, int | None]], store: Store, most_writes: int) -> None:
    assert store.most_at_once <= most_writes
    written = Counter(name for write in store.writes for name in write)
    for name, times in written.items():
        shared = [write for write in store.writes if name in write and len(write) > 1]
        assert len(shared) <= 1, name
        if times == 2:  # together with a culprit first, then alone
            assert [name] in store.writes
            assert any(each.startswith("bug") for each in shared[0])
        assert times <= 2
    for write, size in zip(store.writes, store.sizes, strict=True):
        assert len(write) <= BOUND
        assert size <= BYTES or len(write) == 1
        numbers = [int(name.partition("-")[2]) for name in write]
        assert numbers == sorted(numbers)  # the order of arrival
    staying = {f"{fate}-{n}" for n, (fate, _, _, patience) in enumerate(arrivals) if patience is None}
    assert staying <= written.keys()
