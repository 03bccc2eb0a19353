"""The audit on real Kafka and PostgreSQL: silent when all agree, exact when something was taken away by hand."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from local.layout import ROOT
from signal_pipeline.commands.kafka_offsets import KafkaOffsets
from signal_pipeline.commands.kafka_reader import read_ranges
from signal_pipeline.commands.verify import audit, run_verify
from signal_pipeline.commands.verify_figures import Verdict, violations
from signal_pipeline.domain.dead_letters import ORIGIN_HEADER
from signal_pipeline.domain.signals import Signal
from signal_pipeline.events.kafka import KafkaRecord, OutgoingRecord, encode_record
from signal_pipeline.topology import DEAD_LETTERS, QUARANTINE, SIGNAL_EVENTS
from tests.integration.commands.conftest import World, event

COUNT = 100
ANOMALIES = 10  # every tenth event has one


async def filled(world: World) -> list[Signal]:
    """Let the pipeline process events; return them as signals."""
    signals = await world.accept([event(number) for number in range(COUNT)])
    await world.process(signals)
    return signals


async def poisoned(world: World) -> KafkaRecord:
    """Put a record that is no event on signal-events, and let both groups pass it."""
    await world.produce([OutgoingRecord(topic=SIGNAL_EVENTS.name, key=b"user_1", value=b"garbage \xff")])
    world.commit("process-signal")
    world.commit("detect-anomaly")
    held = KafkaOffsets(world.settings).ranges(SIGNAL_EVENTS.name)
    records = [each for batch in read_ranges(world.settings, SIGNAL_EVENTS.name, held) for each in batch]
    (record,) = [each for each in records if each.value == b"garbage \xff"]
    return record


async def breaches(world: World) -> dict[str, list[str]]:
    """Audit and return what was found, by its words, with the names."""
    figures = await asyncio.to_thread(audit, world.settings)
    return {found.what: list(found.names) for found in violations(figures)}


async def test_a_pipeline_in_which_all_agree_passes(world: World) -> None:
    """Every event is stored, every anomaly has its row, every row its event: the counts say so, nothing is named."""
    await filled(world)
    figures = await asyncio.to_thread(audit, world.settings)
    assert violations(figures) == []
    assert figures.places == Counter(stored=COUNT)
    assert (figures.anomalies.total, figures.outbox.total, figures.published.total) == (ANOMALIES,) * 3


async def test_the_command_exits_with_the_verdict(world: World) -> None:
    """`verify` exits 0 when all is accounted for; with one row gone it names exactly that event and exits 1."""
    signals = await filled(world)
    assert (await asyncio.to_thread(_command, world)).returncode == 0
    lost = signals[COUNT // 2 + 1]
    world.run("DELETE FROM signals WHERE id = %s", lost.id)
    failed = await asyncio.to_thread(_command, world)
    assert failed.returncode == 1
    assert [str(each.id) in failed.stdout for each in signals].count(True) == 1
    assert str(lost.id) in failed.stdout


async def test_a_row_of_another_source_does_not_account_for_an_event(world: World) -> None:
    """The same UUID under another source is another event, which must have been dead-lettered."""
    signals = await filled(world)
    await world.accept([event(1, source="mobile", event_id=signals[0].id)])
    (names,) = (await breaches(world)).values()
    assert len(names) == 1
    assert names[0].endswith(f"signal {signals[0].id} of source mobile")


async def test_a_missing_outbox_row_is_found_from_both_sides(world: World) -> None:
    """The anomaly has no row any more, and the event on Kafka belongs to none."""
    await filled(world)
    ((outbox_id, anomaly_id),) = world.run(
        "DELETE FROM outbox_events WHERE id = (SELECT min(id::text)::uuid FROM outbox_events) RETURNING id, aggregateid"
    )
    assert await breaches(world) == {
        "anomalies have no outbox row": [f"anomaly {anomaly_id}"],
        "events on anomaly-events have no outbox row": [f"event {outbox_id}"],
    }


async def test_a_second_outbox_row_is_found(world: World) -> None:
    """An anomaly that would be published twice under two ids is named."""
    await filled(world)
    ((anomaly_id, outbox_id),) = world.run(
        "INSERT INTO outbox_events (aggregateid, subject, payload) "
        "SELECT aggregateid, subject, payload FROM outbox_events ORDER BY id LIMIT 1 RETURNING aggregateid, id"
    )
    await world.publish([outbox_id])
    assert await breaches(world) == {"anomalies have several outbox rows": [f"anomaly {anomaly_id}"]}


async def test_an_outbox_row_that_is_never_published_is_found(world: World) -> None:
    """A row without its event is named once it is too old to be on its way, together with its lost anomaly."""
    await filled(world)
    ((outbox_id,),) = world.run(
        "INSERT INTO outbox_events (aggregateid, subject, payload, created_at) "
        "VALUES (gen_random_uuid(), 'user_1', '{}', now() - interval '1 minute') RETURNING id"
    )
    assert await breaches(world) == {
        "outbox rows have no anomaly": [f"outbox row {outbox_id}"],
        "outbox rows have no event on anomaly-events": [f"outbox row {outbox_id}"],
    }


async def test_a_young_outbox_row_is_waited_for(world: World) -> None:
    """An event that is on its way while the audit runs is no breach."""
    signals = await world.accept([event(0)])
    await world.store(signals)
    running = asyncio.create_task(breaches(world))
    await world.publish([row[0] for row in world.run("SELECT id FROM outbox_events")])
    assert await running == {}


async def test_a_repeated_event_is_counted_and_allowed(world: World) -> None:
    """Delivery on anomaly-events is at least once; consumers dedupe by id."""
    await filled(world)
    await world.publish([row[0] for row in world.run("SELECT id FROM outbox_events LIMIT 3")])
    figures = await asyncio.to_thread(audit, world.settings)
    assert violations(figures) == []
    assert figures.published.repeated == 3


async def test_a_poison_record_without_a_dead_letter_is_missing(world: World) -> None:
    """A record that is no event has no row: without a dead letter it is lost, and named by its place."""
    record = await poisoned(world)
    (names,) = (await breaches(world)).values()
    assert len(names) == 1
    assert names[0].startswith(f"signal-events partition {record.partition} offset {record.offset}: no signal")


@pytest.mark.parametrize(("topic", "place"), [(DEAD_LETTERS.name, "unread"), (QUARANTINE.name, "quarantine")])
async def test_a_dead_letter_in_kafka_accounts_for_its_record(world: World, topic: str, place: str) -> None:
    """A dead letter that nobody has recorded yet, or that lies in quarantine, is not a loss."""
    await filled(world)
    await world.dead_letter(await poisoned(world), topic=topic)
    figures = await asyncio.to_thread(audit, world.settings)
    assert violations(figures) == []
    assert figures.places == Counter({"stored": COUNT, place: 1})


async def test_a_dead_letter_that_was_read_and_not_recorded_is_a_loss(world: World) -> None:
    """Once replay-dlq has committed past a dead letter, the table must have it."""
    await world.dead_letter(await poisoned(world), topic=DEAD_LETTERS.name)
    world.commit("replay-dlq")
    assert list(await breaches(world)) == ["events are neither stored nor dead-lettered"]


async def test_a_recorded_dead_letter_accounts_for_its_record(world: World) -> None:
    """A record whose dead letter is in the table is not a loss, whatever its identity."""
    metadata = await world.dead_letter(await poisoned(world), topic=DEAD_LETTERS.name)
    world.commit("replay-dlq")
    world.run(
        "INSERT INTO dead_letters (dlq_id, failure_ids, original_topic, original_partition, original_offset, sha256, "
        "failure_class, code, disposition, first_failed_at, last_failed_at, consumer_group, status) "
        "VALUES (%s, '{}', 'signal-events', 0, 0, sha256(''), 'invalid', 'invalid_json', 'poison', now(), now(), "
        "'process-signal', 'quarantined')",
        metadata.id,
    )
    figures = await asyncio.to_thread(audit, world.settings)
    assert violations(figures) == []
    assert figures.places == Counter(recorded=1)


async def test_what_the_purge_has_reached_is_not_missing(world: World) -> None:
    """Rows that were purged by age are counted as purged; the events of purged outbox rows belong to nobody."""
    await filled(world)
    world.run("UPDATE outbox_events SET processed_at = now()")
    world.run("SELECT purge_anomalies(now(), 1000), purge_signals(now(), 1000)")
    assert world.run("SELECT count(*) FROM outbox_events") == [(0,)]
    figures = await asyncio.to_thread(audit, world.settings)
    assert violations(figures) == []
    assert figures.places["purged"] == COUNT - world.run("SELECT count(*) FROM signals")[0][0]


@pytest.mark.parametrize(("hours", "missing"), [(2, 0), (0, 1)])
async def test_a_replay_of_what_was_stored_long_before_may_have_lost_its_row_to_the_purge(
    world: World, hours: int, missing: int
) -> None:
    """A replay for the rules' sake wrote no row of its own; a row that is younger than the purge is still missed."""
    stored = event(1)
    record = encode_record(stored, topic=SIGNAL_EVENTS.name)
    letter_id = uuid4()
    world.run(
        "INSERT INTO dead_letters (dlq_id, failure_ids, original_topic, original_partition, original_offset, sha256, "
        "failure_class, code, disposition, first_failed_at, last_failed_at, consumer_group, status, signal_id, "
        "original_timestamp) VALUES (%s, '{}', 'signal-events', 0, 0, sha256(''), 'unexpected', '500', 'exhausted', "
        "now(), now(), 'detect-anomaly', 'replayed', %s, now() - make_interval(hours => %s))",
        *(letter_id, stored.id, hours),
    )
    origin = (ORIGIN_HEADER, str(letter_id).encode())
    await world.produce([replace(record, headers=(*record.headers, origin))])
    world.commit("process-signal")
    world.commit("detect-anomaly")
    world.run("SELECT purge_signals(now() - interval '1 hour', 1000)")
    figures = await asyncio.to_thread(audit, world.settings)
    assert (figures.missing, figures.places["purged"]) == (missing, 1 - missing)


async def test_records_that_a_group_has_not_processed_are_left_out(world: World) -> None:
    """The audit ends where the slower group is: what lies beyond is nobody's loss yet, and is counted."""
    await filled(world)
    await world.produce([OutgoingRecord(topic=SIGNAL_EVENTS.name, key=b"user_1", value=b"not read yet")] * 3)
    world.commit("detect-anomaly")
    figures = await asyncio.to_thread(audit, world.settings)
    assert violations(figures) == []
    assert figures.beyond == 3


@pytest.mark.parametrize(
    ("passed", "named"),
    [((), "process-signal and detect-anomaly"), (("process-signal",), "detect-anomaly")],
    ids=["neither-group", "one-group"],
)
async def test_events_that_no_group_has_processed_are_no_success(
    world: World, passed: tuple[str, ...], named: str
) -> None:
    """With events and none to audit `verify` names the group that committed nothing, and exits 2."""
    await world.produce([encode_record(event(number), topic=SIGNAL_EVENTS.name) for number in range(3)])
    for group in passed:
        world.commit(group)
    done = await asyncio.to_thread(_command, world)
    assert done.returncode == 2
    assert f"nothing could be audited: {named} committed none of 3 events on signal-events" in done.stdout
    assert "every event is accounted for" not in done.stdout


async def test_an_empty_topic_passes(world: World) -> None:
    """Where there are no events nothing can be missing: `verify` exits 0."""
    assert (await asyncio.to_thread(_command, world)).returncode == 0


async def test_a_long_list_of_names_is_cut(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Of many missing events twenty are named, and the number of the others is said."""
    await world.accept([event(1) for _ in range(COUNT)])
    assert await asyncio.to_thread(run_verify, world.settings) is Verdict.FAILED
    shown = capsys.readouterr().out
    assert f"{COUNT} events are neither stored nor dead-lettered" in shown
    assert shown.count("of source web") == 20
    assert f"and {COUNT - 20} more" in shown


async def test_an_event_of_no_outbox_row_is_found(world: World) -> None:
    """An event on anomaly-events that no transaction wrote is a phantom."""
    phantom = uuid4()
    await world.publish([phantom], age=timedelta(minutes=1))
    assert await breaches(world) == {"events on anomaly-events have no outbox row": [f"event {phantom}"]}


def _command(world: World) -> subprocess.CompletedProcess[str]:
    variables = {
        "KAFKA_BOOTSTRAP_SERVERS": world.settings.kafka_bootstrap_servers,
        "DATABASE_URL": world.settings.database_url.get_secret_value(),
    }
    return subprocess.run(
        [sys.executable, "-m", "signal_pipeline", "verify"],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
