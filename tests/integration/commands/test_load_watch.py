"""What a load sees of its own signals, on real Kafka and PostgreSQL."""

import asyncio
from datetime import UTC, datetime, timedelta

from signal_pipeline.commands.load_events import SentSignal, expected_of
from signal_pipeline.commands.load_watch import LoadWatch
from signal_pipeline.domain.anomalies import RULES
from signal_pipeline.store.pool import Pool
from tests.integration.commands.conftest import World, event

COUNT = 50
ANOMALIES = 5  # every tenth event has one
SOURCE = "load-0000beef"


async def test_a_load_follows_its_own_signals_and_no_others(world: World) -> None:
    """Traffic of others is in no figure of a load: its rows, records, anomalies and events are its own."""
    await world.process(await world.accept([event(number) for number in range(20)]))
    pool = Pool(world.settings.database_url.get_secret_value(), application_name="test", size=1)
    watch = await asyncio.to_thread(LoadWatch, world.settings, pool, SOURCE)
    events = [event(number, source=SOURCE) for number in range(COUNT)]
    sent = [expected_of(each, RULES) for each in events]
    signals = await world.accept(events)
    assert await asyncio.to_thread(watch.expect, sent) == COUNT
    assert await watch.count_stored() == 0

    await world.process(signals)
    assert await watch.count_stored() == COUNT
    assert await watch.count_processed() == COUNT
    assert await watch.rows(datetime.now(UTC) - timedelta(minutes=1)) == COUNT

    found = await watch.consequences(sent)
    assert {each.anomaly_id for each in found} == frozenset[object]().union(*(each.anomalies for each in sent))
    outbox_ids = frozenset(each.outbox_id for each in found if each.outbox_id is not None)
    assert len(outbox_ids) == ANOMALIES
    assert await watch.count_published(outbox_ids) == ANOMALIES
    assert await watch.count_confirmed(outbox_ids) == 0
    world.run("UPDATE outbox_events SET processed_at = now()")
    assert await watch.count_confirmed(outbox_ids) == ANOMALIES
    await pool.close()


async def test_a_row_under_another_source_is_not_the_load_s(world: World) -> None:
    """A signal counts as stored only under the source that the load has for itself."""
    pool = Pool(world.settings.database_url.get_secret_value(), application_name="test", size=1)
    watch = await asyncio.to_thread(LoadWatch, world.settings, pool, SOURCE)
    (stranger,) = await world.accept([event(1, source="web")])
    await world.store([stranger])
    sent = SentSignal(id=stranger.id, time=stranger.event_ts, anomalies=frozenset())
    await asyncio.to_thread(watch.expect, [sent])
    assert await watch.count_stored() == 0
    await pool.close()
