"""A load with poison, delivered by simulated KafkaSources alone, and what must have become of it."""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg

from signal_pipeline.tls import client_context
from tests.checker import Report, Sent, check, check_until_sound
from tests.checker.kafka import GROUPS, read_ends
from tests.checker.model import RawRecord
from tests.support.knative_source import KnativeSource, Subscription, delivery_of
from tests.support.pipeline import Pipeline
from tests.support.sender import Sender, binary_record, event

__all__ = ["ROLES", "await_settled", "judged", "produce", "sources", "strangers_of_poison"]

ROLES = ("process-signal", "detect-anomaly")
_CHUNK = 10_000
_POLL_SECONDS = 0.5
_JUDGE_SECONDS = 60

Record = tuple[RawRecord, Mapping[str, Any] | None]


def _with_value(source: str, value: bytes) -> RawRecord:
    attributes = binary_record(event(source))
    return RawRecord(key=b"user_1", value=value, headers=attributes.headers)


Poison = Callable[[str, str], RawRecord]
# Class and code under which each kind must be recorded, and its record, given a source and an id that another has.
_POISON: tuple[tuple[tuple[str, str], Poison], ...] = (
    (("invalid", "not_json"), lambda source, _: _with_value(source, b'{"data": "cut sho')),
    (("invalid", "not_json"), lambda _, __: RawRecord(key=None, value=b"no event at all")),
    (("invalid", "invalid_attribute"), lambda source, _: binary_record(event(source, subject="u" * 300))),
    (("rejected", "identity_conflict"), lambda source, taken: binary_record(event(f"{source}-b", id=taken))),
)


def produce(sender: Sender, count: int) -> list[tuple[str, str]]:
    """Write events to signal-events, one in a hundred of them poison; return class and code of the poison, in order.

    The first event is written, and acknowledged, before those that claim its identity.
    """
    taken = str(uuid.uuid4())
    sender.produce("signal-events", [_healthy(sender.source, id=taken)])
    kinds: list[tuple[str, str]] = []
    for start in range(0, count, _CHUNK):
        chunk: list[Record] = []
        for number in range(start, min(start + _CHUNK, count)):
            if number % 100 == 99:
                kind, poison = _POISON[len(kinds) % len(_POISON)]
                kinds.append(kind)
                chunk.append((poison(sender.source, taken), None))
            else:
                chunk.append(_healthy(sender.source))
        sender.produce("signal-events", chunk)
    return kinds


def _healthy(source: str, **attributes: Any) -> Record:
    made = event(source, **attributes)
    return binary_record(made, key=str(made["subject"]).encode()), made


@asynccontextmanager
async def sources(pipeline: Pipeline, *, in_flight: int | None) -> AsyncIterator[Sequence[KnativeSource]]:
    """Let simulated KafkaSources stand in for the triggers of process-signal and detect-anomaly."""
    settings = pipeline.settings
    triggers = [f"{role}-trigger" for role in ROLES]
    for trigger in triggers:
        await asyncio.to_thread(pipeline.local, "stop", trigger)
    made = [
        KnativeSource(
            pipeline.broker,
            Subscription(
                topic="signal-events",
                group=role,
                url=settings.function_url(role),
                destination=f"http://{role}.default.svc.cluster.local",
                delivery=delivery_of(role),
                sink="signal-events-dlq",
                in_flight=in_flight,
                headers={"X-API-Key": settings.service_api_keys[0]},
                tls=client_context(settings),
            ),
        )
        for role in ROLES
    ]
    try:
        async with made[0], made[1]:
            yield made
    finally:
        for trigger in triggers:
            await asyncio.to_thread(pipeline.local, "start", trigger)


async def await_settled(pipeline: Pipeline, *, seconds: float) -> float:
    """Wait until everything is read and no dead letter waits for its replay; return how long that took."""
    began = time.monotonic()
    while not await asyncio.to_thread(_is_settled, pipeline):
        assert time.monotonic() - began < seconds, f"not settled: {read_ends(pipeline.broker)}"
        await asyncio.sleep(_POLL_SECONDS)  # the topics give nothing to wait for
    return time.monotonic() - began


def _is_settled(pipeline: Pipeline) -> bool:
    """Look in the direction in which a record moves: what moved on meanwhile shows in the second look."""
    first = read_ends(pipeline.broker)
    if _lag(first):
        return False
    with psycopg.connect(pipeline.database_url) as connection:
        (waiting,) = connection.execute("SELECT count(*) FROM dead_letters WHERE status = 'scheduled'").fetchone() or ()
    return not waiting and read_ends(pipeline.broker) == first


def _lag(ends: Mapping[Any, tuple[int | None, int]]) -> int:
    followed = [(committed or 0, end) for (group, _, _), (committed, end) in ends.items() if group in GROUPS]
    return sum(end - committed for committed, end in followed)


def judged(pipeline: Pipeline, sent: tuple[Sent, ...]) -> Report:
    """Let the checker judge all but dead letters: healthy events may be among them, and a KafkaSink keeps less."""

    def read() -> Report:
        report = check(pipeline.database_url, pipeline.broker, sent, stamped=True)
        return Report(
            lines=tuple(line for line in report.lines if "dead letter" not in line.title or line.invariant == "I1")
        )

    return check_until_sound(read, seconds=_JUDGE_SECONDS)


def strangers_of_poison(
    pipeline: Pipeline, sent: tuple[Sent, ...], kinds: Sequence[tuple[str, str]]
) -> Counter[tuple[str, str]]:
    """Check that each poison record is one dead letter, understood and in quarantine; return the others' fates.

    Returns:
        Class and status of the dead letters of healthy events of this load.
    """
    places = [each.record.position for each in sent if each.poison and each.record and each.record.position]
    expected = {(place.partition, place.offset): kind for place, kind in zip(places, kinds, strict=True)}
    known = {(one.partition, one.offset) for each in sent if each.record and (one := each.record.position)}
    statement = "SELECT original_partition, original_offset, failure_class, code, status, attempts FROM dead_letters"
    with psycopg.connect(pipeline.database_url) as connection:
        rows = connection.execute(f"{statement} WHERE original_topic = 'signal-events'").fetchall()
    letters = [row for row in rows if (row[0], row[1]) in expected]
    found = {(row[0], row[1]): (row[2], row[3]) for row in letters}
    assert found == expected, Counter((kind, found.get(place)) for place, kind in expected.items())
    assert [row for row in letters if row[4:] != ("quarantined", 1)] == []
    assert len(letters) == len(expected)
    return Counter((row[2], row[4]) for row in rows if (row[0], row[1]) in known - expected.keys())
