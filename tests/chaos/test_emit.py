"""emit at its limits: no broker, large events, clients that leave before they are answered."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import psycopg
import pytest

from tests.chaos.outages import Stopped
from tests.chaos.symptoms import resident_bytes, say, seconds_until_drained
from tests.support.pipeline import Pipeline
from tests.support.sender import BATCH_HEADERS, Sender, binary_record, event, events
from tests.support.waiting import wait_for

pytestmark = pytest.mark.long

_RECOVERY_SECONDS = 120
_OUTAGE_SECONDS = 30
_CLIENTS = 16
# The producer's queue holds 64 MiB at most, and each client's request is in memory a few times over.
_MEMORY_BYTES = 96 * 1024**2
_MIB = 1024**2
_LIMIT_BYTES = 256 * 1024  # largest data of one event
_QUOTES = 2
_EFFECT_SECONDS = 30


async def test_emt_2_no_broker(pipeline: Pipeline, sender: Sender) -> None:
    """EMT-2: without a broker each request is refused with 503 and Retry-After, and memory stays within bounds."""
    outage = Stopped(services=["kafka"])
    pid, answers, held = pipeline.pids()["emit"], Counter[int](), [0]
    await sender.post_all([events(100, sender.source)])
    before = resident_bytes(pid)
    try:
        await asyncio.to_thread(outage.inflict, pipeline)
        until = asyncio.get_running_loop().time() + _OUTAGE_SECONDS
        knocking = [_knock(pipeline, sender, until, answers) for _ in range(_CLIENTS)]
        await asyncio.gather(*knocking, _watch(pid, held, until))
    finally:
        await asyncio.to_thread(outage.heal, pipeline)
    outage.proves(pipeline)
    grown = max(held) - before
    say(f"EMT-2: answers {dict(answers)}; memory {before / _MIB:.0f} MiB and {grown / _MIB:.0f} MiB more")
    assert set(answers) == {503}
    assert answers[503] >= _CLIENTS
    assert grown <= _MEMORY_BYTES
    assert pipeline.pids()["emit"] == pid
    await sender.post_all([events(100, sender.source)])
    report = await asyncio.to_thread(pipeline.check, sender.sent(), seconds=_RECOVERY_SECONDS)
    assert report.sound, str(report)
    assert report.checked("I1") == 200  # the two batches outside the outage; whatever else was answered was refused


async def _knock(pipeline: Pipeline, sender: Sender, until: float, answers: Counter[int]) -> None:
    """Send batch after batch as one client does that ignores Retry-After."""
    headers = {**BATCH_HEADERS, "X-API-Key": pipeline.settings.emit_api_key.get_secret_value()}
    url = f"{pipeline.settings.function_url('emit')}/emit"
    async with aiohttp.ClientSession(headers=headers) as session:
        while asyncio.get_running_loop().time() < until:
            async with session.post(url, data=json.dumps(events(100, f"{sender.source}-knock"))) as answer:
                answers[answer.status] += 1
                assert int(answer.headers["Retry-After"]) >= 1
                await answer.read()


async def _watch(pid: int, held: list[int], until: float) -> None:
    while asyncio.get_running_loop().time() < until:
        held.append(resident_bytes(pid))
        await asyncio.sleep(0.5)  # between two looks


async def test_fun_2_large_payloads(pipeline: Pipeline, sender: Sender) -> None:
    """FUN-2: 256 KiB of data pass whole; 1 MiB is refused by emit, and written to Kafka directly is a dead letter."""
    largest = [_sized(sender.source, _LIMIT_BYTES) for _ in range(24)]
    await sender.post_all([largest[start : start + 12] for start in range(0, len(largest), 12)])  # 3 MiB a request
    assert not await sender.post_batch([_sized(sender.source, _LIMIT_BYTES + 1)])
    assert not await sender.post_batch([_sized(sender.source, _MIB)])
    giants = [(binary_record(_sized(sender.source, _MIB), key=b"giant"), None) for _ in range(8)]
    healthy = [(binary_record(each, key=b"giant"), each) for each in events(100, sender.source)]
    await asyncio.to_thread(sender.produce, "signal-events", [*giants[:4], *healthy, *giants[4:]])
    report = await asyncio.to_thread(pipeline.check, sender.sent(), seconds=_RECOVERY_SECONDS)
    assert report.sound, str(report)
    assert report.checked("I1") == 124
    assert report.checked("I9") > 8
    say(f"FUN-2: {len(largest)} events of {_LIMIT_BYTES:,} B stored, {len(giants)} of 1 MiB dead-lettered")


def _sized(source: str, size: int) -> dict[str, Any]:
    """Return an event whose data is a JSON text of exactly this many bytes."""
    return event(source, data="x" * (size - _QUOTES))


async def test_fun_4_client_gone_after_commit(pipeline: Pipeline, sender: Sender) -> None:
    """FUN-4: a batch whose client left before the answer is stored; delivered again it changes nothing."""
    batch = events(50, sender.source)
    await _post_and_leave(pipeline, "process-signal", "/", batch)
    await asyncio.to_thread(wait_for, lambda: _stored(pipeline, batch) == 50, seconds=_EFFECT_SECONDS, what="the rows")
    await _post_and_leave(pipeline, "emit", "/emit", batch)
    await sender.post_all([batch])
    await asyncio.to_thread(seconds_until_drained, pipeline, seconds=_RECOVERY_SECONDS)
    report = await asyncio.to_thread(pipeline.check, sender.sent(), seconds=_RECOVERY_SECONDS)
    assert report.sound, str(report)
    assert report.checked("I2") == 50


async def _post_and_leave(pipeline: Pipeline, role: str, path: str, batch: Sequence[Mapping[str, Any]]) -> None:
    """Send a whole request and close the connection without reading a byte."""
    body = json.dumps(batch).encode()
    key = pipeline.settings.emit_api_key.get_secret_value()
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Content-Type: {BATCH_HEADERS['Content-Type']}",
        f"X-API-Key: {key}",
        f"Content-Length: {len(body)}",
        "",
        "",
    ]
    _, writer = await asyncio.open_connection("127.0.0.1", pipeline.settings.port(role))
    writer.write("\r\n".join(lines).encode() + body)
    await writer.drain()
    writer.close()
    await writer.wait_closed()


def _stored(pipeline: Pipeline, batch: Sequence[Mapping[str, Any]]) -> int:
    with psycopg.connect(pipeline.database_url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM signals WHERE id = ANY(%s::uuid[])", [[each["id"] for each in batch]]
        ).fetchone()
    assert row is not None
    return int(row[0])
