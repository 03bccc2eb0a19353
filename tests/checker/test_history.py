"""The invariants about moments: a sound run is damaged in one way and the right invariant is named."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.checker.case import Case
from tests.checker.check import judge
from tests.checker.history import Bounds, History, Part, Sample
from tests.checker.model import Outcome, Position, RawRecord, Row, Sent
from tests.checker.test_checker import POISON, letter_of, sound

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TOPIC = "signal-events"
BOUNDS = Bounds(memory_bytes=1000, connections=8, requests=10, events={"process-signal": 100}, wal_bytes=5000)
GROUPS = ("process-signal", "detect-anomaly")


def placed(attempt: Sent, offset: int) -> RawRecord:
    """Return the record of an event in partition 0; all have one key."""
    version = attempt.version
    assert version is not None
    headers = (("ce_id", str(version.row_id).encode()), ("ce_source", version.source.encode()))
    return RawRecord(key=b"k", value=b"{}", headers=headers, position=Position(topic=TOPIC, partition=0, offset=offset))


def commits(first: int, second: int = 18) -> dict[Part, int]:
    """Return what both groups have committed: of partition 0 with the events, of partition 2 with the poison."""
    return {(group, TOPIC, partition): at for group in GROUPS for partition, at in ((0, first), (2, second))}


def page(**values: float) -> dict[str, float]:
    """Return a page of a process that started at second 1."""
    return {"process_start_time_seconds": 1, "trigger_process_start_time_seconds": 1, **values}


def pages(factor: int, started: int = 1) -> dict[str, dict[str, float]]:
    """Return the pages before the load, or with factor 1 after it: 20 signals, 2 anomalies, 1 dead letter."""
    found = {
        "emit": page(signals_produced_total=100 + 20 * factor, process_resident_memory_bytes=1000),
        "process-signal": page(
            **{'signals_stored_total{outcome="inserted"}': 18 * factor},
            signals_consumed_total=20 * factor,
            signals_dlq_total=factor,
            http_requests_in_flight=10,
            trigger_in_flight=100,
            trigger_process_resident_memory_bytes=1000,
        ),
        "detect-anomaly": page(
            **{'anomalies_detected_total{type="high_data_value"}': 2 * factor}, outbox_events_total=2 * factor
        ),
        "confirm-outbox": page(outbox_confirmed_total=2 * factor),
    }
    return {role: {**each, "process_start_time_seconds": started} for role, each in found.items()}


def sound_run() -> Case:
    """Return the sound history of the checker's other tests as a run: nothing, half of it, a deaf moment, all."""
    base = sound()
    events = [one for one in base.sent if one.version and one.outcome is Outcome.OK]
    ids = [row.id for row in base.snapshot.rows]
    anomalous = frozenset(anomaly.signal_id for anomaly in base.snapshot.anomalies)
    rows = tuple(replace(row, stored_at=NOON + timedelta(seconds=n)) for n, row in enumerate(base.snapshot.rows))
    found = tuple(
        replace(one, detected_at=NOON + timedelta(seconds=n)) for n, one in enumerate(base.snapshot.anomalies)
    )
    letters = {"signal-events-dlq": 1, "signal-events-quarantine": 0}
    full = Sample(
        commits=commits(20),
        stored=frozenset(ids),
        detected=anomalous,
        letters=letters,
        pages=pages(1),
        connections={"process-signal": 8, "psql": 99},
        wal_bytes={"outbox_slot": 5000},
    )
    half = replace(full, commits=commits(10), stored=frozenset(ids[:10]), pages=pages(0))
    none = Sample(
        commits={}, stored=frozenset(), detected=frozenset(), letters=dict.fromkeys(letters, 0), pages=pages(0)
    )
    deaf = Sample(commits=commits(15))  # what it saw committed must be stored by the next sample
    history = History(samples=(none, half, deaf, full), log_start={0: 0, 2: 17}, bounds=BOUNDS, calm=True)
    snapshot = replace(
        base.snapshot,
        rows=rows,
        anomalies=found,
        log=(*(placed(one, offset) for offset, one in enumerate(events)), POISON),
        ends={("process-signal", TOPIC, 0): (20, 20), ("process-signal", TOPIC, 1): (None, 0)},
    )
    return replace(base, snapshot=snapshot, history=history)


RUN = sound_run()


def seen(case: Case = RUN) -> History:
    """Return the history of a case."""
    assert case.history is not None
    return case.history


def with_sample(number: int, **changes: Any) -> Case:
    """Return the sound run with one sample changed."""
    samples = list(seen().samples)
    samples[number] = replace(samples[number], **changes)
    return replace(RUN, history=replace(seen(), samples=tuple(samples)))


def with_snapshot(**changes: Any) -> Case:
    """Return the sound run with another end."""
    return replace(RUN, snapshot=replace(RUN.snapshot, **changes))


def with_page(role: str, **changes: float) -> Case:
    """Return the sound run with another last page of a role."""
    last = pages(1)
    return with_sample(3, pages={**last, role: {**last[role], **changes}})


def later(row: Row, seconds: float) -> Row:
    """Return a row that was stored at another time."""
    return replace(row, stored_at=NOON + timedelta(seconds=seconds))


ROWS = RUN.snapshot.rows
DAMAGES: dict[str, tuple[Callable[[], Case], set[str]]] = {
    "a commit is ahead of a row": (lambda: with_sample(1, commits=commits(11)), {"I5"}),
    "a commit is ahead of a row that comes after a deaf moment": (
        lambda: with_sample(3, stored=frozenset(row.id for row in ROWS[:14])),
        {"I5"},
    ),
    "a commit is ahead of an anomaly": (lambda: with_sample(1, detected=frozenset()), {"I5"}),
    "a commit is ahead of a dead letter": (
        lambda: with_sample(1, letters={"signal-events-dlq": 0}),
        {"I5"},
    ),
    "a commit went back": (lambda: with_sample(2, commits=commits(9)), {"I5"}),
    "a commit vanished": (lambda: with_sample(2, commits={}), {"I5"}),
    "a group lags at the end": (lambda: with_snapshot(ends={("process-signal", TOPIC, 0): (19, 20)}), {"I5"}),
    "a group has committed nothing at the end": (
        lambda: with_snapshot(ends={("replay-dlq", "signal-events-dlq", 0): (None, 1)}),
        {"I5"},
    ),
    "a row was overtaken": (lambda: with_snapshot(rows=(later(ROWS[0], 1.5), *ROWS[1:])), {"I11"}),
    "an anomaly was overtaken": (
        lambda: with_snapshot(
            anomalies=(
                replace(RUN.snapshot.anomalies[0], detected_at=NOON + timedelta(hours=1)),
                RUN.snapshot.anomalies[1],
            )
        ),
        {"I11"},
    ),
    "a function uses too much memory": (lambda: with_page("emit", process_resident_memory_bytes=1001), {"I13"}),
    "a trigger uses too much memory": (
        lambda: with_page("process-signal", trigger_process_resident_memory_bytes=1001),
        {"I13"},
    ),
    "too many requests": (lambda: with_page("process-signal", http_requests_in_flight=11), {"I13"}),
    "too many events": (lambda: with_page("process-signal", trigger_in_flight=101), {"I13"}),
    "too many connections": (lambda: with_sample(2, connections={"process-signal": 9}, pages=pages(0)), {"I13"}),
    "a slot retains too much": (lambda: with_sample(2, wal_bytes={"outbox_slot": 5001}), {"I13"}),
    "emit counted one too few": (lambda: with_page("emit", signals_produced_total=119), {"I14"}),
    "emit counted more than was sent": (lambda: with_page("emit", signals_produced_total=122), {"I14"}),
    "a row too many was counted": (
        lambda: with_page("process-signal", **{'signals_stored_total{outcome="inserted"}': 21}),
        {"I14"},
    ),
    "a signal too few was counted": (lambda: with_page("process-signal", signals_consumed_total=19), {"I14"}),
    "a dead letter was not counted": (lambda: with_page("process-signal", signals_dlq_total=0), {"I14"}),
    "an anomaly was counted under two rules": (
        lambda: with_page("detect-anomaly", **{'anomalies_detected_total{type="x"}': 1}),
        {"I14"},
    ),
    "an outbox row was counted twice": (lambda: with_page("detect-anomaly", outbox_events_total=3), {"I14"}),
    "a stamp was not counted": (lambda: with_page("confirm-outbox", outbox_confirmed_total=1), {"I14"}),
}


def broken(case: Case) -> set[str]:
    """Return the invariants that the checker finds broken."""
    return {finding.invariant for finding in judge(case).findings}


def test_sound_run_has_no_finding() -> None:
    """A run in which all is right is sound, and every invariant was checked on something."""
    report = judge(RUN)
    assert report.sound, report
    assert all(line.checked for line in report.lines), report


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_named(damage: str) -> None:
    """A run damaged in one way breaks exactly the invariant that speaks of it."""
    make, expected = DAMAGES[damage]
    assert broken(make()) == expected


def test_dead_letter_is_an_effect() -> None:
    """A healthy event that is a dead letter and no row was not committed ahead; nor is it one that was overtaken."""
    first = next(one for one in RUN.snapshot.log if one.position and one.position.offset == 0)
    case = with_sample(1, stored=frozenset(row.id for row in ROWS[1:10]))
    snapshot = replace(case.snapshot, dead=(replace(letter_of(first), position=POISON.position), letter_of(POISON)))
    assert "I5" in broken(case)
    written = replace(letter_of(first), position=Position(topic="signal-events-dlq", partition=0, offset=0))
    assert "I5" not in broken(replace(case, snapshot=replace(snapshot, dead=(written, letter_of(POISON)))))


def test_signal_that_detect_anomaly_stored_first_overtook_nothing() -> None:
    """The row of a signal with an anomaly may be older than those before it: another group wrote it."""
    tenth = RUN.snapshot.rows[9]
    assert broken(with_snapshot(rows=(*ROWS[:9], later(tenth, -60), *ROWS[10:]))) == set()


def test_counters_are_added_up_over_restarts() -> None:
    """A process counts from zero after a restart; its predecessor's count is added, and an excess is found."""
    before = {role: {**each, "process_start_time_seconds": 1} for role, each in pages(0).items()}
    halves = {"emit": {**before["emit"], "signals_produced_total": 110}}
    after = {role: {**each, "process_start_time_seconds": 2} for role, each in pages(1).items()}
    for produced, expected in ((10, set()), (11, set()), (12, {"I14"}), (3, set())):
        # 10 + 10 = 20 were acknowledged; one more may have been; what was counted just before the kill is not seen.
        last = {**after, "emit": {**after["emit"], "signals_produced_total": produced}}
        samples = (replace(seen().samples[0], pages=before), replace(seen().samples[1], pages={**before, **halves}),
                   replace(seen().samples[3], pages=last))  # fmt: skip
        assert broken(replace(RUN, history=replace(seen(), samples=samples))) == expected


def test_fault_may_hide_what_was_counted() -> None:
    """In a run that is not calm a counter may be too low, since its process died, and deliveries may be repeated."""
    calm = with_page("process-signal", signals_consumed_total=30, signals_dlq_total=0)
    assert broken(calm) == {"I14"}
    assert broken(replace(calm, history=replace(seen(calm), calm=False))) == set()


def test_without_an_answer_nothing_is_said() -> None:
    """While no store answers no commit is judged, and a run that ends so has one thing less that was checked."""
    silent = replace(seen(), samples=(*seen().samples[:3], replace(seen().samples[3], stored=None)))
    report = judge(replace(RUN, history=silent))
    assert report.sound
    assert report.checked("I5") < judge(RUN).checked("I5")


def test_ids_are_of_the_rows() -> None:
    """The run's samples speak of the same 20 signals as its rows, so that no damage passes for want of a subject."""
    assert {row.id for row in ROWS} == {UUID(int=number) for number in range(1, 21)} == seen().samples[3].stored
