"""The commands that show figures, on real Kafka and PostgreSQL: the numbers are those of the parts."""

import asyncio
import re
from collections.abc import Callable

import pytest

from signal_pipeline.commands.database_tables import show_database, show_outbox
from signal_pipeline.commands.dead_letter_tables import show_status
from signal_pipeline.commands.kafka_tables import show_topics
from signal_pipeline.commands.pipeline_figures import PipelineFigures, pipeline_figures
from signal_pipeline.errors import DependencyUnavailable
from signal_pipeline.events.kafka import KafkaRecord, OutgoingRecord
from signal_pipeline.settings import Settings
from signal_pipeline.topology import DEAD_LETTERS, QUARANTINE, SIGNAL_EVENTS
from tests.integration.commands.conftest import World, event

NOTHING_LISTENS = Settings(
    _env_file=None, kafka_bootstrap_servers="127.0.0.1:9", database_url="postgresql://127.0.0.1:9/x"
)


async def shown(show: Callable[[Settings], None], world: World, capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    """Return what a command prints, as lines of cells."""
    await asyncio.to_thread(show, world.settings)
    return [re.split(r"\s{2,}", line.strip()) for line in capsys.readouterr().out.splitlines()]


async def test_the_lag_is_log_end_minus_commit(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Seven records that process-signal has read and detect-anomaly has not are the lag of the one alone."""
    await world.produce([OutgoingRecord(topic=SIGNAL_EVENTS.name, key=b"user", value=b"{}")] * 7)
    world.commit("process-signal")
    lines = await shown(show_topics, world, capsys)
    totals = {line[0]: line[-1] for line in lines if line[1:3] == ["signal-events", "all"]}
    assert totals == {"process-signal": "0", "detect-anomaly": "7"}


async def test_the_outbox_is_counted_by_confirmation(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows that wait, rows that are confirmed, and the missing slot are told."""
    await world.store(await world.accept([event(number * 10) for number in range(3)]))
    world.run(
        "UPDATE outbox_events SET processed_at = now() WHERE id = (SELECT min(id::text)::uuid FROM outbox_events)"
    )
    figures = dict(line for line in await shown(show_outbox, world, capsys) if len(line) == 2)
    assert (figures["pending"], figures["confirmed"], figures["total"]) == ("2", "1", "3")
    assert figures["slot"].startswith("missing")


async def test_the_tables_and_their_27_indexes_are_listed(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Each table of the schema and each of the 27 indexes has a line."""
    lines = await shown(show_database, world, capsys)
    indexed = [line for line in lines if line[0] in {"signals", "anomalies", "outbox_events"} and len(line) == 6]
    assert len(indexed) == 27


async def test_unread_and_quarantined_dead_letters_are_counted(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """The depth of the dead-letter topic is what replay-dlq has not read; of quarantine all that is there."""
    record = KafkaRecord(SIGNAL_EVENTS.name, 0, 0, 0, b"user", b"garbage")
    await world.dead_letter(record, topic=DEAD_LETTERS.name)
    world.commit("replay-dlq")
    await world.dead_letter(record, topic=DEAD_LETTERS.name)
    await world.dead_letter(record, topic=QUARANTINE.name)
    depths = {line[0]: line[-1] for line in await shown(show_status, world, capsys) if line[0].startswith("signal-")}
    assert depths == {DEAD_LETTERS.name: "1", QUARANTINE.name: "1"}


async def test_the_figures_are_those_of_the_parts(world: World) -> None:
    """Lag by group, waiting outbox rows, and signals stored in the last seconds."""
    await world.store(await world.accept([event(0)]))
    figures = await asyncio.to_thread(pipeline_figures, world.settings)
    assert figures.lag == {"process-signal": 0, "detect-anomaly": 0, "replay-dlq": 0, "confirm-outbox": 0}
    assert (figures.stored_per_second, figures.outbox_pending, figures.dead_letters_unresolved) == (0.1, 1, 0)


@pytest.mark.parametrize("show", [show_database, show_outbox, show_topics, show_status])
def test_a_pipeline_that_is_down_is_told_with_the_next_step(show: Callable[[Settings], None]) -> None:
    """Nothing listens: the command fails and says how to start the pipeline."""
    with pytest.raises(DependencyUnavailable, match="make up"):
        show(NOTHING_LISTENS)


def test_figures_of_a_pipeline_that_is_down_are_absent() -> None:
    """What cannot be asked is left out: the figures themselves never fail."""
    assert pipeline_figures(NOTHING_LISTENS) == PipelineFigures(
        stored_per_second=None, lag=None, dead_letters_unresolved=None, outbox_pending=None
    )
