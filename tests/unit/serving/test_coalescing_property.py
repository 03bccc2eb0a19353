"""Whatever arrives, fails and goes away: what holds for every caller of a coalescer."""

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from signal_pipeline.errors import DependencyUnavailable
from tests.unit.serving.coalescing_store import BOUND, BYTES, REJECTED, Store, coalescer, event

if TYPE_CHECKING:
    from signal_pipeline.domain.failures import Failure

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
