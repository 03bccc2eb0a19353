"""`signal-pipeline trace` on a real PostgreSQL, with rows that the product's own store functions made."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import structlog
from pydantic import SecretStr
from typer.testing import CliRunner

from signal_pipeline.cli import app
from signal_pipeline.commands.trace import Trace, TraceOrder, collect_trace, show_trace
from signal_pipeline.commands.trace_store import Moment
from signal_pipeline.domain.anomalies import anomalies_of
from signal_pipeline.domain.signals import Signal, signal_id
from signal_pipeline.errors import NotFound
from signal_pipeline.settings import Settings
from signal_pipeline.store import dead_letters
from signal_pipeline.store.anomalies import Detection, store_anomalies
from signal_pipeline.store.outbox import confirm_outbox
from signal_pipeline.store.pool import Pool
from signal_pipeline.store.signals import store_signals
from tests.integration.commands.conftest import World, event
from tests.support.dead_letters import failure_metadata

NOON = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
CORRELATION = "c0ffee00c0ffee00c0ffee00c0ffee00"
TRACEPARENT = f"00-{CORRELATION}-00f067aa0ba902b7-01"


class Ground:
    """A database without rows, and a state folder without logs.

    Attributes:
        settings: Settings that lead to both.
        pool: Connections for the store's functions.
        url: Address of the database.
    """

    def __init__(self, url: str, state: Path) -> None:
        self.settings = Settings(_env_file=None, database_url=SecretStr(url), state_dir=state)
        self.pool = Pool(url, application_name="test", size=2)
        self.url = url
        self._logs = state / "logs"

    def trace(self, identity: object, **parts: Any) -> Trace:
        """Trace an id."""
        return collect_trace(self.settings, TraceOrder(id=str(identity), **parts))

    def log(self, **facts: object) -> None:
        """Let emit have logged a line."""
        self._logs.mkdir(exist_ok=True)
        with (self._logs / "emit.log").open("a") as log:
            log.write(json.dumps({"timestamp": NOON.isoformat(), "event": "request_refused", **facts}) + "\n")


@pytest.fixture
async def ground(database_url: str, tmp_path: Path) -> AsyncIterator[Ground]:
    """A database whose tables are empty."""
    with psycopg.connect(database_url) as connection:
        connection.execute("TRUNCATE signals, superseded_signals, anomalies, outbox_events, dead_letters")
    made = Ground(database_url, tmp_path)
    yield made
    await made.pool.close()


def signal(row: UUID | None = None, *, name: str | None = None, number: int = 99, **changes: Any) -> Signal:
    """Make a click at noon, sent with a correlation id; with the number 99 it breaks one rule, high_data_value."""
    extensions = {"correlationid": CORRELATION, "traceparent": TRACEPARENT} | ({"id": name} if name else {})
    made = Signal(
        id=row or (signal_id("web", name) if name else uuid4()),
        user_id="user_1",
        source="web",
        type="click",
        event_ts=NOON,
        payload={"data": f"sample_data_{number}"},
        payload_json=f'{{"data": "sample_data_{number}"}}',
        extensions_json=json.dumps(extensions),
    )
    return replace(made, **changes)


def letter(signal_row: UUID | None, *, event_id: str | None = None, **parts: Any) -> dead_letters.DeadLetterRow:
    """Make the failure of a record that process-signal refused a minute after noon; it is due at once."""
    failed = NOON + timedelta(minutes=1)
    times = {"first_failed_at": failed, "last_failed_at": failed, "timestamp_ms": int(NOON.timestamp() * 1000)}
    return dead_letters.DeadLetterRow(
        metadata=failure_metadata(partition=3, traceparent=TRACEPARENT, **{"offset": 41, **times, **parts}),
        origin=None,
        key=b"user_1",
        value=b"{}",
        headers=(("ce_id", b"1"), ("ce_correlationid", CORRELATION.encode()), ("na\x00me", b"\xff")),
        event_id=event_id,
        event_source="web",
        signal_id=signal_row,
        next_attempt_at=failed,
    )


async def store(ground: Ground, *signals: Signal) -> None:
    """Store signals and their anomalies, as process-signal and detect-anomaly do."""
    await store_signals(ground.pool, signals)
    detections = [Detection(signal=each, anomalies=found) for each in signals if (found := anomalies_of(each))]
    await store_anomalies(ground.pool, detections)


def whats(found: Trace) -> list[str]:
    """Return what happened, in the order that a person sees."""
    return [moment.what for moment in found.moments]


def one(found: Trace, what: str) -> Moment:
    """Return the one moment of this kind."""
    (moment,) = [moment for moment in found.moments if moment.what == what]
    return moment


async def test_a_signal_that_became_an_anomaly_is_told_from_event_to_confirmation(ground: Ground) -> None:
    """The row's id leads to event, row, anomaly, outbox row and its confirmation, in order of time."""
    clicked = signal()
    await store(ground, clicked)
    waiting = ground.trace(clicked.id)
    assert one(waiting, "outbox row").facts["confirmed"] is False
    outbox_id = UUID(one(waiting, "outbox row").id)
    await confirm_outbox(ground.pool, [outbox_id])
    found = ground.trace(clicked.id)
    assert found.subject.kinds == ["signal"]
    assert [moment.at for moment in found.moments] == sorted(moment.at for moment in found.moments)
    # the anomaly and its outbox row have the time of one transaction, so their order is not defined
    assert (whats(found)[:2], sorted(whats(found)[2:4])) == (["event", "stored"], ["anomaly", "outbox row"])
    assert whats(found)[4:] == ["published and confirmed"]
    sent = one(found, "event")
    assert (sent.at, sent.facts["correlation_id"], sent.facts["traceparent"]) == (NOON, CORRELATION, TRACEPARENT)
    anomaly = one(found, "anomaly")
    assert (anomaly.facts["rule"], anomaly.facts["signal_id"]) == ("high_data_value", str(clicked.id))
    for identity in (anomaly.id, outbox_id, CORRELATION):
        assert ground.trace(identity).moments == found.moments


async def test_a_dead_letter_that_was_replayed_is_told_with_each_failure(ground: Ground) -> None:
    """Failed, replayed, failed again, replayed: place, class, code, attempts, status and the ids of both failures."""
    row = uuid4()
    first = letter(row, code="500")
    await dead_letters.record_dead_letters(ground.pool, [first])
    await dead_letters.mark_replayed(ground.pool, await dead_letters.take_due(ground.pool, 1, datetime.now(UTC)))
    again = letter(row, code="XX000", offset=90, last_failed_at=NOON + timedelta(minutes=5))
    again = replace(again, origin=first.metadata.id)
    await dead_letters.record_dead_letters(ground.pool, [again])
    await dead_letters.mark_replayed(ground.pool, await dead_letters.take_due(ground.pool, 1, datetime.now(UTC)))
    await store(ground, signal(row, number=50))
    found = ground.trace(first.metadata.id)
    assert found.subject.kinds == ["dead letter"]
    assert [what for what in whats(found) if what not in {"event", "stored"}] == [
        "on Kafka",
        "failed first",
        "failed last",
        "dead letter recorded",
        "dead letter replayed",
    ]
    place = one(found, "on Kafka").facts
    assert (place["topic"], place["partition"], place["offset"]) == ("signal-events", 3, 41)
    assert (place["correlation_id"], place["traceparent"]) == (CORRELATION, TRACEPARENT)
    last = one(found, "failed last")
    assert (last.at, last.facts["class"]) == (NOON + timedelta(minutes=5), "unexpected")
    assert (last.facts["code"], last.facts["attempts"]) == ("XX000", 2)
    assert last.facts["failures"] == [str(first.metadata.id), str(again.metadata.id)]
    assert one(found, "stored").id == str(row)
    for identity in (row, again.metadata.id, CORRELATION):
        assert ground.trace(identity).moments == found.moments


async def test_a_replaced_version_stays_visible(ground: Ground) -> None:
    """The version that a later one replaced is told, with its own time and the time at which it was replaced."""
    row = uuid4()
    await store(ground, signal(row, number=50))
    await store(ground, signal(row, number=51, event_ts=NOON + timedelta(seconds=7)))
    found = ground.trace(row)
    assert [one(found, what).at for what in ("event, since replaced", "event")] == [NOON, NOON + timedelta(seconds=7)]
    assert one(found, "version replaced").facts == {"event_ts": "2026-01-15T12:00:00+00:00"}


async def test_an_event_id_that_is_no_uuid_counts_within_its_source(ground: Ground) -> None:
    """`order-7` is found by itself in every source; with a source, in that one alone."""
    web = signal(name="order-7", number=50)
    shop = replace(web, id=signal_id("shop", "order-7"), source="shop")
    await store(ground, web, shop)
    rows = {source: {m.id for m in ground.trace("order-7", source=source).moments} for source in ("web", "shop", None)}
    assert rows == {"web": {str(web.id)}, "shop": {str(shop.id)}, None: {str(web.id), str(shop.id)}}
    with pytest.raises(NotFound):
        ground.trace("order-7", source="elsewhere")


async def test_an_id_that_is_several_things_is_told_as_all_of_them(ground: Ground) -> None:
    """One UUID is the row of a signal, the correlation id of another, and the dead letter of a third event."""
    gone = letter(None, event_id="lost")
    row = gone.metadata.id
    other = signal(number=50, extensions_json=json.dumps({"correlationid": str(row)}))
    await store(ground, signal(row, number=50), other)
    await dead_letters.record_dead_letters(ground.pool, [gone])
    found = ground.trace(row)
    assert set(found.subject.kinds) == {"signal", "dead letter", "correlation id"}
    assert {moment.id for moment in found.moments if moment.what == "stored"} == {str(row), str(other.id)}
    assert one(found, "failed first").facts["event_id"] == "lost"


async def test_log_lines_are_told_by_any_id_of_the_signal(ground: Ground) -> None:
    """Asked for the row, the log line that names only the correlation id is told; one with another id is not."""
    clicked = signal(number=50)
    await store(ground, clicked)
    ground.log(correlation_id=CORRELATION, code="x")
    ground.log(correlation_id="another", code="y")
    found = ground.trace(clicked.id)
    assert one(found, "log: request_refused").facts == {"correlation_id": CORRELATION, "code": "x"}
    assert whats(ground.trace("another")) == ["log: request_refused"]


async def test_a_correlation_id_of_many_is_cut_and_says_so(ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    """Of three signals of one request two are told when two are asked for, and that there are more."""
    await store(ground, *(signal(number=50) for _ in range(3)))
    order = TraceOrder(id=CORRELATION, limit=2)
    found = collect_trace(ground.settings, order)
    assert (whats(found).count("stored"), found.subject.cut) == (2, True)
    show_trace(found, order, as_json=False)
    assert "more with --limit" in capsys.readouterr().out


@pytest.fixture
def logs_restored() -> Iterator[None]:
    """A command logs to the output that its runner closes: afterwards logs go where they went before."""
    yield
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()


@pytest.mark.usefixtures("logs_restored")
async def test_the_command_prints_a_table_or_json_and_fails_for_the_unknown(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A known id: exit code 0, a line for each moment or one document. An unknown id: one sentence, exit code 1."""
    clicked = signal()
    await store(ground, clicked)
    monkeypatch.setenv("DATABASE_URL", ground.url)
    monkeypatch.setenv("STATE_DIR", str(ground.settings.state_dir))
    table = CliRunner().invoke(app, ["trace", str(clicked.id)])
    assert (table.exit_code, "rule=high_data_value" in table.stdout) == (0, True)
    document = json.loads(CliRunner().invoke(app, ["trace", str(clicked.id), "--json"]).stdout)
    assert [moment["what"] for moment in document["moments"]][:2] == ["event", "stored"]
    unknown = CliRunner().invoke(app, ["trace", str(uuid4())])
    assert (unknown.exit_code, unknown.stdout) == (1, "")
    assert "nothing is known of" in unknown.stderr


async def test_records_that_no_function_has_read_are_found_in_kafka_when_asked(world: World, tmp_path: Path) -> None:
    """An event that is only in the topic is unknown, until --kafka reads it there with its place."""
    settings = world.settings.model_copy(update={"state_dir": tmp_path})
    sent = [event(number) for number in range(3)]
    await world.accept(sent)
    with pytest.raises(NotFound, match="--kafka"):
        collect_trace(settings, TraceOrder(id=sent[1].id))
    found = collect_trace(settings, TraceOrder(id=sent[1].id, kafka=True))
    (record,) = found.moments
    assert (record.what, record.id, record.facts["event_id"]) == ("on Kafka", "signal-events", sent[1].id)
