"""Saving how far groups are and putting them back, on a real broker."""

import asyncio
from pathlib import Path

import pytest
from confluent_kafka import Consumer

from signal_pipeline.broker import group_commit
from signal_pipeline.broker.group_commit import commit_for_group
from signal_pipeline.commands.group_offsets import read_again, restore_offsets, save_offsets, wait_for_drained
from signal_pipeline.commands.kafka_offsets import KafkaOffsets
from signal_pipeline.errors import ConfigurationError, Conflict
from signal_pipeline.events.kafka import encode_record
from signal_pipeline.topology import SIGNAL_EVENTS
from tests.integration.commands.conftest import World, event
from tests.support.waiting import wait_for

_RECORDS = 30


def _behind(world: World, group: str) -> int:
    offsets = KafkaOffsets(world.settings)
    committed = offsets.committed(group, SIGNAL_EVENTS.name)
    return sum(span.end - (committed[number] or 0) for number, span in offsets.ranges(SIGNAL_EVENTS.name).items())


async def test_groups_go_back_to_where_they_were(world: World, tmp_path: Path) -> None:
    """What was read after the offsets were saved is unread again after they are put back, and nothing else is."""
    await world.accept([event(number) for number in range(_RECORDS)])
    await asyncio.to_thread(save_offsets, world.settings, tmp_path / "offsets.json")
    await world.accept([event(number) for number in range(_RECORDS)])
    assert _behind(world, "process-signal") == 0
    await asyncio.to_thread(restore_offsets, world.settings, tmp_path / "offsets.json")
    assert _behind(world, "process-signal") == _behind(world, "detect-anomaly") == _RECORDS
    await asyncio.to_thread(restore_offsets, world.settings, tmp_path / "offsets.json")
    assert _behind(world, "process-signal") == _RECORDS


async def test_a_group_reads_again_what_there_is(world: World) -> None:
    """One group goes back to the first record that Kafka holds; the others stay where they are."""
    await world.accept([event(number) for number in range(_RECORDS)])
    await asyncio.to_thread(read_again, world.settings, ["detect-anomaly"])
    ranges = await asyncio.to_thread(KafkaOffsets(world.settings).ranges, SIGNAL_EVENTS.name)
    assert _behind(world, "detect-anomaly") == sum(span.records for span in ranges.values()) >= _RECORDS
    assert _behind(world, "process-signal") == 0


async def test_a_group_that_there_is_not_is_named(world: World) -> None:
    """A misspelt group moves nothing, and the message tells which there are."""
    await world.accept([event(number) for number in range(_RECORDS)])
    with pytest.raises(ConfigurationError, match=r"no group detector; there are .*detect-anomaly"):
        await asyncio.to_thread(read_again, world.settings, ["process-signal", "detector"])
    assert _behind(world, "process-signal") == 0


async def test_a_group_that_is_read_stays(world: World) -> None:
    """While a trigger is in the group the command refuses and names what to stop: it would overwrite the commit."""
    await world.accept([event(number) for number in range(_RECORDS)])
    servers = {"bootstrap.servers": world.settings.kafka_bootstrap_servers, "group.id": "process-signal"}
    consumer = Consumer(servers)
    consumer.subscribe([SIGNAL_EVENTS.name])
    try:
        await asyncio.to_thread(_join, consumer)
        targets = {(SIGNAL_EVENTS.name, 0): 0}
        with pytest.raises(Conflict, match="make stop-process-signal-trigger"):
            await asyncio.to_thread(commit_for_group, world.settings, "process-signal", targets, wait_seconds=0)
    finally:
        consumer.close()
    assert _behind(world, "process-signal") == 0


async def test_a_member_that_leaves_is_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A group whose last member goes meanwhile is put back without a second call."""
    await world.accept([event(number) for number in range(_RECORDS)])
    servers = {"bootstrap.servers": world.settings.kafka_bootstrap_servers, "group.id": "process-signal"}
    consumer = Consumer(servers)
    consumer.subscribe([SIGNAL_EVENTS.name])
    await asyncio.to_thread(_join, consumer)
    monkeypatch.setattr(group_commit.time, "sleep", lambda _: consumer.close())
    before = await asyncio.to_thread(KafkaOffsets(world.settings).ranges, SIGNAL_EVENTS.name)
    targets = {(SIGNAL_EVENTS.name, number): span.begin for number, span in before.items()}
    await asyncio.to_thread(commit_for_group, world.settings, "process-signal", targets, wait_seconds=20)
    committed = await asyncio.to_thread(KafkaOffsets(world.settings).committed, "process-signal", SIGNAL_EVENTS.name)
    assert committed == {number: span.begin for number, span in before.items()}


async def test_waiting_tells_who_is_behind(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """The wait ends well only when nothing is left to read; else it names the groups that are behind."""
    assert await asyncio.to_thread(wait_for_drained, world.settings, seconds=0)
    await world.produce([encode_record(event(1), topic=SIGNAL_EVENTS.name)])
    world.commit("detect-anomaly")
    assert not await asyncio.to_thread(wait_for_drained, world.settings, seconds=0)
    shown = capsys.readouterr().out
    assert "process-signal" in shown
    assert "detect-anomaly" not in shown


def _join(consumer: Consumer) -> None:
    wait_for(lambda: consumer.poll(0.1) is None and bool(consumer.assignment()), seconds=30, what="a member")
