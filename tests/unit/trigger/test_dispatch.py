"""What becomes of records, by what the function answers. The function is a real HTTP server that misbehaves."""

import asyncio
from collections import Counter
from dataclasses import replace

import orjson
import pytest
from aiohttp import web

from signal_pipeline.domain.dead_letters import Disposition
from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.trigger import dispatch
from signal_pipeline.trigger.manifest import KafkaTrigger
from tests.unit.trigger.conftest import TRIGGER, Bench, event_id
from tests.unit.trigger.misbehaviour import NAMES, absent, hang, limited, redirect, unauthorized, unavailable


def results(*failed: tuple[int, int, str]) -> web.Response:
    """Return a 207 that lists failures by index, status and class."""
    body = {"results": [{"index": i, "status": status, "class": name, "code": "c"} for i, status, name in failed]}
    return web.Response(status=207, body=orjson.dumps(body))


async def test_durable_events_are_committed_and_landed_once(bench: Bench) -> None:
    """A batch that succeeds is resolved as a whole."""
    bench.send(0, NAMES)
    await bench.until(lambda: bench.commit(0) == len(NAMES))
    assert bench.function.landed == Counter(NAMES)
    assert bench.letters.written == []


async def test_nothing_is_committed_before_the_answer(bench: Bench) -> None:
    """While the function works, the offset stays."""
    asked, answer = asyncio.Event(), asyncio.Event()

    async def wait(ids: list[str]) -> web.StreamResponse:
        asked.set()
        await answer.wait()
        return await bench.function.succeed(ids)

    bench.function.reply = wait
    bench.send(0, NAMES)
    await asked.wait()
    assert bench.commit(0) == 0
    answer.set()
    await bench.until(lambda: bench.commit(0) == len(NAMES))


async def test_a_batch_verdict_dead_letters_exactly_the_poison(bench: Bench) -> None:
    """Listed invalid and rejected events are dead-lettered at once, the others land once."""

    async def verdicts(ids: list[str]) -> web.StreamResponse:
        bench.function.landed.update(one for one in ids if one not in {"e3", "e7"})
        return results(
            *((ids.index(one), 422, kind) for one, kind in (("e3", "invalid"), ("e7", "rejected")) if one in ids)
        )

    bench.function.reply = verdicts
    bench.send(0, NAMES)
    await bench.until(lambda: bench.commit(0) == len(NAMES))
    assert bench.letters.ids == ["e3", "e7"]
    assert [one.disposition for one in bench.letters.written] == [Disposition.POISON, Disposition.REJECTED]
    assert bench.function.landed == Counter(set(NAMES) - {"e3", "e7"})


@pytest.mark.parametrize("status", [400, 413, 422, 500])
async def test_a_batch_that_fails_whole_is_split_until_the_culprit_stands_alone(bench: Bench, status: int) -> None:
    """Neighbours of a culprit land exactly once; the culprit alone is dead-lettered."""

    async def whole(ids: list[str]) -> web.StreamResponse:
        return web.Response(status=status) if "e13" in ids else await bench.function.succeed(ids)

    bench.function.reply = whole
    bench.send(0, NAMES)
    await bench.until(lambda: bench.commit(0) == len(NAMES))
    assert bench.letters.ids == ["e13"]
    assert bench.function.landed == Counter(set(NAMES) - {"e13"})
    # Attempts count only when the event stood alone: 3 for `unexpected`, 1 for what can never work.
    assert bench.letters.written[0].attempts == (3 if status == 500 else 1)


async def test_a_function_that_takes_no_batches_gets_single_events(bench: Bench) -> None:
    """415 to a batch is no verdict on the events; from then on they go one by one."""

    async def single(ids: list[str]) -> web.StreamResponse:
        return web.Response(status=415) if len(ids) > 1 else await bench.function.succeed(ids)

    bench.function.reply = single
    bench.send(0, NAMES)
    await bench.until(lambda: bench.commit(0) == len(NAMES))
    assert bench.function.landed == Counter(NAMES)
    assert sum(len(ids) > 1 for ids in bench.function.requests) == 1
    assert bench.letters.written == []


@pytest.mark.parametrize("misbehaviour", [unavailable, limited, redirect, absent, unauthorized, hang])
async def test_what_is_not_the_events_fault_never_dead_letters(bench: Bench, misbehaviour: object) -> None:
    """However often it fails, the partition waits; when it works again, everything lands once and the DLQ is empty."""
    bench.function.reply = misbehaviour  # type: ignore[assignment]
    bench.send(0, ["a"])  # alone, so that every request is an attempt of this event
    await bench.until(lambda: len(bench.function.requests) > TRIGGER.max_attempts)
    assert bench.commit(0) == 0
    bench.function.reply = bench.function.succeed
    await bench.until(lambda: bench.commit(0) == 1)
    assert bench.letters.written == []
    assert bench.function.landed == Counter(["a"])


async def test_a_connection_that_breaks_is_tried_again(bench: Bench) -> None:
    """A reset says nothing about the events: they are delivered again."""
    resets = 0

    async def reset(ids: list[str]) -> web.StreamResponse:
        nonlocal resets
        resets += 1
        if resets <= 5:
            raise ConnectionResetError
        return await bench.function.succeed(ids)

    bench.function.reply = reset
    bench.send(0, NAMES)
    await bench.until(lambda: bench.commit(0) == len(NAMES))
    assert bench.function.landed == Counter(NAMES)


@pytest.mark.parametrize("body", [b"<html>", b'{"results":[{"index":99,"status":400}]}'])
async def test_an_unreadable_verdict_is_no_success(bench: Bench, body: bytes) -> None:
    """A 207 that makes no sense resolves nothing: bounded attempts, then the dead-letter topic."""

    async def nonsense(_: list[str]) -> web.StreamResponse:
        return web.Response(status=207, body=body)

    bench.function.reply = nonsense
    bench.send(0, ["a", "b"])
    await bench.until(lambda: bench.commit(0) == 2)
    assert sorted(bench.letters.ids) == ["a", "b"]
    assert {one.disposition for one in bench.letters.written} == {Disposition.EXHAUSTED}


async def test_retry_after_is_obeyed(bench: Bench) -> None:
    """The next delivery comes no earlier than the function asked for."""
    loop, times = asyncio.get_running_loop(), list[float]()

    async def later(ids: list[str]) -> web.StreamResponse:
        times.append(loop.time())
        if len(times) == 1:
            return web.Response(status=503, headers={"Retry-After": "1"})
        return await bench.function.succeed(ids)

    bench.function.reply = later
    bench.send(0, ["a"])
    await bench.until(lambda: bench.commit(0) == 1)
    assert times[1] - times[0] >= 1


async def test_contention_becomes_a_dependency_after_ten_tries_and_never_dead_letters(bench: Bench) -> None:
    """Conflicts are tried again in place; the event lands when they end."""
    tries = 0

    async def conflict(ids: list[str]) -> web.StreamResponse:
        nonlocal tries
        tries += 1
        return results((0, 503, "contention")) if tries <= 12 else await bench.function.succeed(ids)

    bench.function.reply = conflict
    bench.send(0, ["a"])
    await bench.until(lambda: bench.commit(0) == 1)
    assert bench.letters.written == []


async def test_an_unavailable_dead_letter_topic_stops_the_partition_and_skips_nothing(bench: Bench) -> None:
    """The poison's offset stays uncommitted until its dead letter is acknowledged; the function is not asked again."""

    async def poison(_: list[str]) -> web.StreamResponse:
        return results((0, 400, "invalid"))

    bench.function.reply = poison
    bench.letters.available = False
    bench.send(0, ["bad"])
    await bench.until(lambda: bench.letters.refusals > 3)
    assert bench.commit(0) == 0
    bench.letters.available = True
    await bench.until(lambda: bench.commit(0) == 1)
    assert bench.letters.ids == ["bad"]
    assert len(bench.function.requests) == 1


async def test_the_breaker_keeps_a_topic_from_draining_into_the_dlq(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When nearly all of 1,000 events fail as rejected, only what came before the breaker opened is dead-lettered."""
    monkeypatch.setattr(dispatch, "BREAKER_PAUSE_SECONDS", 0.5)
    names = [f"n{number}" for number in range(1000)]

    async def broken(ids: list[str]) -> web.StreamResponse:
        return results(*((index, 422, "rejected") for index in range(len(ids))))

    bench.function.reply = broken
    bench.send(0, names)
    # 100 and 100 events fail and the breaker opens; then it asks with one event at a time.
    await bench.until(lambda: len(bench.function.requests) >= 4)
    assert [len(ids) for ids in bench.function.requests[:4]] == [100, 100, 1, 1]
    assert len(bench.letters.written) <= 200
    assert bench.letters.written[-1].failure is not None
    assert bench.letters.written[-1].failure.failure_class is FailureClass.REJECTED


async def test_successes_beside_failures_keep_no_topic_draining_into_the_dlq(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nine of ten fail in every batch, and the breaker still holds; when the cause is repaired all others land."""
    monkeypatch.setattr(dispatch, "BREAKER_PAUSE_SECONDS", 0.1)
    names = [f"n{number}" for number in range(2000)]

    async def broken(ids: list[str]) -> web.StreamResponse:
        bad = [index for index, name in enumerate(ids) if not name.endswith("0")]
        bench.function.landed.update(name for name in ids if name.endswith("0"))
        return results(*((index, 422, "rejected") for index in bad))

    bench.function.reply = broken
    bench.send(0, names)
    await bench.until(lambda: any(len(ids) == 1 for ids in bench.function.requests))
    bench.function.reply = bench.function.succeed
    await bench.until(lambda: bench.commit(0) == len(names))
    # Two batches of 100 had 180 failures before the breaker opened; then single events may have been given up.
    assert len(bench.letters.written) <= 200
    assert bench.function.landed == Counter(set(names) - set(bench.letters.ids))


async def test_an_open_breaker_ends_the_splitting_of_a_batch(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that answers 500 to everything is not asked again about each event of a batch, one by one."""
    monkeypatch.setattr(dispatch, "BREAKER_PAUSE_SECONDS", 60)
    # Splitting asks about n events 2n - 1 times; 200 failed singles open the breaker, so two batches of 100 do.
    requests = 2 * (2 * 100 - 1)

    async def broken(_: list[str]) -> web.StreamResponse:
        return web.Response(status=500)

    bench.function.reply = broken
    bench.send(0, [f"n{number}" for number in range(1000)])
    await bench.until(lambda: len(bench.function.requests) >= requests)
    await bench.dispatcher.drain(wait_seconds=5)
    assert len(bench.function.requests) == requests
    assert bench.letters.written == []


class TestMaxEventAge:
    """Events that are too old."""

    @pytest.fixture
    def trigger(self) -> KafkaTrigger:
        """A trigger that delivers nothing older than a minute."""
        return replace(TRIGGER, max_event_age_seconds=60.0)

    async def test_an_old_event_expires_and_a_fresh_one_lands(self, bench: Bench) -> None:
        """The age counts from the broker's timestamp."""
        bench.send(0, ["old"], timestamp_ms=1_000)
        bench.send(0, ["fresh"], start=1)
        await bench.until(lambda: bench.commit(0) == 2)
        assert [(event_id(one.record), one.disposition) for one in bench.letters.written] == [
            ("old", Disposition.EXPIRED)
        ]
        assert bench.function.landed == Counter(["fresh"])

    async def test_what_waits_behind_an_outage_does_not_expire(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An hour without its database costs neither the event that was tried nor the ones behind it."""
        clock = 1_000_000_000.0
        monkeypatch.setattr(dispatch, "_wall_ms", lambda: clock)
        bench.function.reply = unavailable
        bench.send(0, ["tried"], timestamp_ms=int(clock))
        await bench.until(lambda: bench.function.requests)
        bench.send(0, ["behind"], start=1, timestamp_ms=int(clock))
        clock += 3_600_000
        bench.function.reply = bench.function.succeed
        await bench.until(lambda: bench.commit(0) == 2)
        assert bench.function.landed == Counter(["tried", "behind"])
        assert bench.letters.written == []
