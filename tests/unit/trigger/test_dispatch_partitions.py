"""The dispatcher's partitions: independent of each other, in order, and given up cleanly."""

import asyncio
from collections import Counter

import orjson
from aiohttp import web

from tests.unit.trigger.conftest import TRIGGER, Bench
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


async def test_a_partition_that_is_taken_away_is_not_tried_again(bench: Bench) -> None:
    """While one partition's delivery is waited for, another that leaves with it begins no new one."""
    answer = asyncio.Event()

    async def one_hangs(ids: list[str]) -> web.StreamResponse:
        if ids == ["slow"]:
            await answer.wait()
            return await bench.function.succeed(ids)
        return await unavailable(ids)

    bench.function.reply = one_hangs
    bench.send(0, ["slow"])
    await bench.until(lambda: ["slow"] in bench.function.requests)
    bench.send(1, ["down"])
    await bench.until(lambda: ["down"] in bench.function.requests)
    keys = [("signal-events", 0), ("signal-events", 1)]
    leaving = asyncio.create_task(bench.dispatcher.revoked(keys, wait_seconds=10))
    await bench.until(lambda: all(one.leaving for one in bench.dispatcher.partitions.values()))
    await bench.until(lambda: not bench.dispatcher.partitions["signal-events", 1].delivering)
    asked = bench.function.requests.count(["down"])
    await asyncio.sleep(3 * TRIGGER.backoff.cap_seconds)  # time enough for another try
    answer.set()
    assert await leaving == {("signal-events", 0): 1, ("signal-events", 1): 0}
    assert bench.function.requests.count(["down"]) == asked


async def test_nothing_overtakes_a_single_event_that_must_wait(bench: Bench) -> None:
    """A 207 that holds one event for an outage holds the partition: what lies behind is not delivered meanwhile."""
    held = True

    async def holds_a(ids: list[str]) -> web.StreamResponse:
        if held and "a" in ids:
            bench.function.landed.update(one for one in ids if one != "a")
            result = {"index": ids.index("a"), "status": 503, "class": "dependency", "code": "c"}
            return web.Response(status=207, body=orjson.dumps({"results": [result]}))
        return await bench.function.succeed(ids)

    bench.function.reply = holds_a
    bench.send(0, ["a", "b"])
    await bench.until(lambda: len(bench.function.requests) > 1)
    bench.send(0, NAMES, start=2)
    asked = len(bench.function.requests)
    await bench.until(lambda: len(bench.function.requests) > asked + 2)
    assert bench.function.landed == Counter(["b"])
    held = False
    await bench.until(lambda: bench.commit(0) == 2 + len(NAMES))
    assert list(bench.function.landed) == ["b", "a", *NAMES]


async def test_nothing_overtakes_a_dead_letter_that_cannot_be_written(bench: Bench) -> None:
    """Without its dead-letter topic a partition stops at the poison: nothing behind it is delivered."""

    async def poison(ids: list[str]) -> web.StreamResponse:
        if "bad" not in ids:
            return await bench.function.succeed(ids)
        result = {"index": ids.index("bad"), "status": 400, "class": "invalid", "code": "c"}
        return web.Response(status=207, body=orjson.dumps({"results": [result]}))

    bench.function.reply = poison
    bench.letters.available = False
    bench.send(0, ["bad"])
    await bench.until(lambda: bench.letters.refusals > 0)
    bench.send(0, NAMES, start=1)
    refusals = bench.letters.refusals
    await bench.until(lambda: bench.letters.refusals > refusals + 2)
    assert bench.function.requests == [["bad"]]
    bench.letters.available = True
    await bench.until(lambda: bench.commit(0) == 1 + len(NAMES))
    assert bench.function.landed == Counter(NAMES)
