"""Rows 38 to 41: a replay goes to our own topics only, whatever an order or a dead letter says."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from signal_pipeline.domain.dead_letters import NAMES, metadata_headers
from signal_pipeline.events.dead_letter import letter_of_record
from signal_pipeline.events.kafka import KafkaRecord
from signal_pipeline.roles.recovery import Recovery
from tests.checker.kafka import read_topic
from tests.integration.roles.letters import failure, letter
from tests.integration.roles.site import Site

ADDRESSES = [
    "http://169.254.169.254/latest/meta-data/",
    "http://localhost:8003/",
    "file:///etc/passwd",
    "https://example.com/redirect",
    "kafka://other:9092/topic",
    "process-signal",
    {"url": "http://169.254.169.254/"},
]


def dead_letters(database_url: str, columns: str = "status") -> list[tuple[Any, ...]]:
    """Return columns of all dead letters."""
    with psycopg.connect(database_url) as connection:
        return connection.execute(f"SELECT {columns} FROM dead_letters").fetchall()  # type: ignore[arg-type]  # noqa: S608 - the test's own


def jobs(database_url: str) -> int:
    """Return how many jobs were ordered."""
    with psycopg.connect(database_url) as connection:
        (found,) = connection.execute("SELECT count(*) FROM replay_jobs").fetchall()
    return int(found[0])


@pytest.mark.parametrize("name", ["target", "url", "topic", "destination", "webhook"])
@pytest.mark.parametrize("address", ADDRESSES, ids=str)
async def test_row_38_a_target_is_never_an_address(
    site: Site, rejected: list[UUID], database_url: str, name: str, address: Any
) -> None:
    """An order has no place for an address: in it, its filter or its execution it is a 400, and no job begins."""
    plan = (await site.plan(filter={"class": "rejected"}))["plan"]
    for body in ({"filter": {}, name: address}, {"plan": plan, "reason": "x", name: address}):
        assert (await site.ask("POST", "/replay", body)).status == 400
    if name != "topic":  # of which a filter has one: it selects dead letters by where they came from
        assert (await site.ask("POST", "/replay", {"filter": {name: address}})).status == 400
    assert jobs(database_url) == 0
    assert dead_letters(database_url) == [("quarantined",)] * len(rejected)


@pytest.mark.parametrize(
    "body",
    [
        {"limit": -1},
        {"limit": 10**9},
        {"limit": 1.5},
        {"limit": "5; DROP TABLE dead_letters"},
        {"filter": {"class": "rejected' OR '1'='1"}},
        {"filter": {"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}},
        {"filter": {"since": "infinity"}},
        {"filter": {"since": "300000-01-01T00:00:00Z"}},
    ],
)
async def test_row_39_orders_out_of_range(site: Site, rejected: list[UUID], database_url: str, body: Any) -> None:
    """An order out of range, or with SQL in its filter, is a 400, and the dead letters are as they were."""
    assert (await site.ask("POST", "/replay", body)).status in {400, 422}
    assert dead_letters(database_url) == [("quarantined",)] * len(rejected)
    assert jobs(database_url) == 0


@pytest.mark.parametrize(
    "forged",
    [b"-5", b"0", b"99999999999999999999999", b"1e3", b"", b"\xff", b"five"],
)
async def test_row_41_forged_metadata_is_clamped(recovery: Recovery, database_url: str, forged: bytes) -> None:
    """Numbers that no trigger wrote are set to the next that it might have; the dead letter is still recorded."""
    event_id = uuid4()
    sound = failure(event_id, 1)
    changed = {"ce_dlqattempts": forged, "ce_dlqcode": b"x" * 9000, "ce_dlqmessage": b"\x1b[2J" + b"y" * 9000}
    ours = tuple((name, changed.get(name, value)) for name, value in metadata_headers(sound))
    headers = (("ce_id", str(event_id).encode()), ("ce_source", b"test"), ("ce_type", b"t"), ("ce_specversion", b"1.0"))
    record = KafkaRecord("signal-events-dlq", 0, 0, 0, b"key", b"{}", (*headers, *ours))
    await recovery.record([letter_of_record(record, now=datetime.now(UTC))])
    ((attempts, code, message),) = dead_letters(database_url, "attempts, code, message")
    assert attempts == 1
    assert len(code) <= 256
    assert "\x1b" not in message
    assert {name for name, _ in ours} == set(NAMES)


@pytest.mark.parametrize(
    "topic", ["signal-events-quarantine", "other", "__consumer_offsets", "x" * 200, "../signal-events"]
)
async def test_row_41_a_forged_topic_is_never_written_to(
    recovery: Recovery, database_url: str, broker: str, topic: str
) -> None:
    """A dead letter that says that it came from another topic is kept, and published nowhere but in quarantine."""
    event_id = uuid4()
    await recovery.record([letter(event_id, replace(failure(event_id, 1), topic=topic))])
    result = await recovery.tick(10)
    assert result.replayed == 0
    assert dead_letters(database_url) == [("quarantined",)]
    wanted = ("ce_id", str(event_id).encode())
    assert [record for record in read_topic(broker, "signal-events") if wanted in record.headers] == []
