"""The dispatcher's partitions: independent of each other, in order, and given up cleanly."""

import asyncio

from aiohttp import web

from tests.unit.trigger.conftest import Bench
from tests.unit.trigger.misbehaviour import NAMES, hang, unavailable


async def test_a_failing_partition_blocks_no_other(bench: Bench) -> None:
    """While one partition's events time out, the others' land."""

    async def slow_zero(ids: list[str]) -> web.StreamResponse:
        return await (hang(ids) if any(one.startswith("slow") for one in ids) else bench.function.succeed(ids))

    bench.function.reply = slow_zero
    bench.send(0, ["slow1", "slow2"])
    bench.send(1, NAMES)
    await bench.until(lambda: bench.commit(1) == len(NAMES))
    bench.send(1, NAMES, start=len(NAMES))
    bench.send(2, NAMES)
    await bench.until(lambda: bench.commit(1) == 2 * len(NAMES) and bench.commit(2) == len(NAMES))
    assert bench.commit(0) == 0


async def test_order_within_a_partition_is_kept_while_it_backs_off(bench: Bench) -> None:
    """Later events of a partition are not delivered before an earlier one that must wait."""
    down = True

    async def flaky(ids: list[str]) -> web.StreamResponse:
        return await (unavailable(ids) if down else bench.function.succeed(ids))

    bench.function.reply = flaky
    bench.send(0, ["a"])
    await bench.until(lambda: len(bench.function.requests) > 1)
    bench.send(0, ["b"], start=1)
    down = False
    await bench.until(lambda: bench.commit(0) == 2)
    assert list(bench.function.landed) == ["a", "b"]


async def test_a_revoked_partition_commits_only_what_is_resolved(bench: Bench) -> None:
    """What is in flight when the wait ends belongs to the next owner."""
    asked = asyncio.Event()

    async def first_lands(ids: list[str]) -> web.StreamResponse:
        if ids == ["a"]:
            return await bench.function.succeed(ids)
        asked.set()
        return await hang(ids)

    bench.function.reply = first_lands
    bench.send(0, ["a"])
    await bench.until(lambda: bench.commit(0) == 1)
    bench.send(0, ["b", "c"], start=1)
    await asked.wait()
    assert await bench.dispatcher.revoked([("signal-events", 0)], wait_seconds=0.05) == {("signal-events", 0): 1}
    bench.function.reply = bench.function.succeed
    bench.dispatcher.received([])
    assert bench.dispatcher.partitions == {}


async def test_a_revoked_partition_waits_for_what_is_in_flight(bench: Bench) -> None:
    """A delivery that ends in time is committed, and nothing is delivered twice."""
    asked = asyncio.Event()

    async def slowly(ids: list[str]) -> web.StreamResponse:
        asked.set()
        await asyncio.sleep(0.1)
        return await bench.function.succeed(ids)

    bench.function.reply = slowly
    bench.send(0, NAMES)
    await asked.wait()
    offsets = await bench.dispatcher.revoked([("signal-events", 0)], wait_seconds=10)
    assert offsets == {("signal-events", 0): len(NAMES)}
