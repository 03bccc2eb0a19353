"""The checker finds every kind of damage: a sound history is damaged in one way and the right invariant is named."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid5

import pytest

from tests.checker.case import Case
from tests.checker.check import judge
from tests.checker.model import (
    Anomaly,
    OutboxRow,
    Outcome,
    Position,
    RawRecord,
    Row,
    Sent,
    Snapshot,
)
from tests.checker.versions import version_of

SOURCE = "checker-test"
POISON = RawRecord(
    key=b"user_1",
    value=b"\xff{not json",
    headers=(("trace", b"a"), ("trace", None)),
    position=Position(topic="signal-events", partition=2, offset=17),
)


def event(number: int, **changes: Any) -> Mapping[str, Any]:
    """Return a CloudEvent with an id of its own; every tenth number breaks the rule `high_data_value`."""
    data = 97 if number % 10 == 0 else 50
    return {
        "specversion": "1.0",
        "id": str(UUID(int=number)),
        "source": SOURCE,
        "type": "click",
        "subject": f"user_{number}",
        "time": "2026-01-01T12:00:00.123456Z",
        "data": {"session_id": "sess_12345", "data": f"sample_data_{data}"},
        **changes,
    }


def sent(number: int, outcome: Outcome = Outcome.OK, **changes: Any) -> Sent:
    """Return a line of the ledger."""
    return Sent(number=number, outcome=outcome, version=version_of(event(number, **changes)))


def row_of(attempt: Sent) -> Row:
    """Return the row that an event must become."""
    version = attempt.version
    assert version is not None
    return Row(
        id=version.row_id,
        source=version.source,
        type=version.type,
        user_id=version.user_id,
        event_ts=version.time,
        payload=version.payload,
        extensions=None,
    )


def anomaly_of(row: Row) -> Anomaly:
    """Return the anomaly of a row that breaks the rule `high_data_value`."""
    return Anomaly(id=uuid5(row.id, "high_data_value"), signal_id=row.id, rule="high_data_value")


def outbox_of(anomaly: Anomaly) -> OutboxRow:
    """Return the outbox row of an anomaly."""
    payload = {"id": str(anomaly.id), "signal_event_id": str(anomaly.signal_id)}
    return OutboxRow(id=uuid5(anomaly.id, "outbox"), aggregate_id=str(anomaly.id), payload=payload, stamped=True)


def event_of(row: OutboxRow) -> RawRecord:
    """Return the anomaly event of an outbox row."""
    headers = (("ce_id", str(row.id).encode()), ("ce_type", b"anomaly_detected"))
    return RawRecord(key=row.aggregate_id.encode(), value=json.dumps(row.payload).encode(), headers=headers)


def letter_of(record: RawRecord, offset: int = 0) -> RawRecord:
    """Return the dead letter of a record."""
    assert record.position is not None
    place = record.position
    metadata = (
        ("dlq-topic", place.topic.encode()),
        ("dlq-partition", str(place.partition).encode()),
        ("dlq-offset", str(place.offset).encode()),
    )
    position = Position(topic="signal-events-dlq", partition=0, offset=offset)
    return replace(record, headers=(*record.headers, *metadata), position=position)


def sound() -> Case:
    """Return a history with nothing wrong: 20 signals, 2 anomalies, 1 poison record, 1 refused, 1 unknown event."""
    accepted = [sent(number) for number in range(1, 21)]
    rows = tuple(map(row_of, accepted))
    anomalies = tuple(anomaly_of(row) for row in (rows[9], rows[19]))
    outbox = tuple(map(outbox_of, anomalies))
    others = (
        sent(21, Outcome.FAIL),
        sent(22, Outcome.UNKNOWN),
        Sent(number=23, outcome=Outcome.OK, record=POISON, poison=True),
    )
    snapshot = Snapshot(
        rows=rows,
        anomalies=anomalies,
        outbox=outbox,
        # At least once: the same event twice on the topic is no violation.
        published=(*map(event_of, outbox), event_of(outbox[0])),
        dead=(letter_of(POISON),),
        recorded=(Position(topic="signal-events", partition=2, offset=17),),
    )
    return Case(sent=(*accepted, *others), snapshot=snapshot, stamped=True, recorded=True)


def damaged(**changes: Any) -> Case:
    """Return the sound history with parts of its snapshot exchanged."""
    case = sound()
    return replace(case, snapshot=replace(case.snapshot, **changes))


def broken(case: Case) -> set[str]:
    """Return the invariants that the checker finds broken."""
    return {finding.invariant for finding in judge(case).findings}


GOOD = sound().snapshot
EVENTS = tuple(map(event_of, GOOD.outbox))
FIRST = GOOD.rows[0]
STRANGER = row_of(sent(999))
ORPHAN = outbox_of(Anomaly(id=UUID(int=5), signal_id=FIRST.id, rule="high_data_value"))
UNKNOWN_EVENT = event_of(replace(ORPHAN, id=UUID(int=6)))

DAMAGES: dict[str, tuple[Callable[[], Case], set[str]]] = {
    "a row is removed": (lambda: damaged(rows=GOOD.rows[1:]), {"I1"}),
    "a row is doubled": (lambda: damaged(rows=(*GOOD.rows, FIRST)), {"I2"}),
    "a row has an id that its identity does not have": (
        lambda: damaged(rows=(replace(FIRST, extensions={"id": "another"}), *GOOD.rows[1:])),
        {"I2"},
    ),
    "a row was never sent": (lambda: damaged(rows=(*GOOD.rows, STRANGER)), {"I3"}),
    "a refused event is stored": (lambda: damaged(rows=(*GOOD.rows, row_of(sent(21)))), {"I3"}),
    "a payload is altered": (lambda: damaged(rows=(replace(FIRST, payload={"data": "x"}), *GOOD.rows[1:])), {"I4"}),
    "a user is altered": (lambda: damaged(rows=(replace(FIRST, user_id="user_2"), *GOOD.rows[1:])), {"I4"}),
    "an anomaly is missing": (
        lambda: damaged(anomalies=GOOD.anomalies[1:], outbox=GOOD.outbox[1:], published=EVENTS[1:]),
        {"I6"},
    ),
    "an anomaly has no reason": (lambda: damaged(anomalies=(*GOOD.anomalies, anomaly_of(FIRST))), {"I6", "I7"}),
    "an anomaly has a random id": (
        lambda: damaged(anomalies=(replace(GOOD.anomalies[0], id=UUID(int=7)), GOOD.anomalies[1])),
        {"I6", "I7"},
    ),
    "an outbox row is removed": (lambda: damaged(outbox=GOOD.outbox[1:], published=EVENTS[1:]), {"I7"}),
    "an outbox row is doubled": (
        lambda: damaged(
            outbox=(*GOOD.outbox, replace(GOOD.outbox[0], id=UUID(int=8))),
            published=(*EVENTS, event_of(replace(GOOD.outbox[0], id=UUID(int=8)))),
        ),
        {"I7"},
    ),
    "an outbox row is an orphan": (
        lambda: damaged(outbox=(*GOOD.outbox, ORPHAN), published=(*EVENTS, event_of(ORPHAN))),
        {"I7"},
    ),
    "an anomaly event is missing": (lambda: damaged(published=EVENTS[1:]), {"I8"}),
    "an anomaly event is invented": (lambda: damaged(published=(*EVENTS, UNKNOWN_EVENT)), {"I8"}),
    "an anomaly event has another key": (
        lambda: damaged(published=(replace(EVENTS[0], key=b"x"), EVENTS[1])),
        {"I8"},
    ),
    "an anomaly event is altered": (
        lambda: damaged(published=(replace(EVENTS[0], value=b"{}"), EVENTS[1])),
        {"I8"},
    ),
    "an outbox row is not stamped": (
        lambda: damaged(outbox=(replace(GOOD.outbox[0], stamped=False), GOOD.outbox[1])),
        {"I8"},
    ),
    "a dead letter is missing": (lambda: damaged(dead=()), {"I9"}),
    "a dead letter is doubled": (lambda: damaged(dead=(letter_of(POISON), letter_of(POISON, 1))), {"I9"}),
    "a dead letter lost a byte": (lambda: damaged(dead=(replace(letter_of(POISON), value=b"\xff{not jso"),)), {"I4"}),
    "a dead letter lost a header": (
        lambda: damaged(dead=(letter_of(replace(POISON, headers=POISON.headers[:1])),)),
        {"I4"},
    ),
    "a dead letter is twice in quarantine": (
        lambda: damaged(quarantined=(letter_of(POISON), letter_of(POISON, 1))),
        {"I9"},
    ),
    "a dead letter is not recorded": (lambda: damaged(recorded=()), {"I9"}),
    "a healthy event is a dead letter": (
        lambda: damaged(dead=(letter_of(POISON), _healthy_letter())),
        {"I9"},
    ),
}


def _healthy_letter() -> RawRecord:
    headers = (("ce_id", str(FIRST.id).encode()), ("ce_source", SOURCE.encode()))
    position = Position(topic="signal-events", partition=0, offset=1)
    return letter_of(RawRecord(key=None, value=b"{}", headers=headers, position=position))


def test_sound_history_has_no_finding() -> None:
    """A history in which all is right is sound, and every invariant was checked on something."""
    report = judge(sound())
    assert report.sound, report
    assert all(line.checked for line in report.lines), report


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_named(damage: str) -> None:
    """A history damaged in one way breaks exactly the invariants that speak of it."""
    make, expected = DAMAGES[damage]
    assert broken(make()) == expected


def test_dead_letter_accounts_for_an_event() -> None:
    """An accepted event that is in no table but in the dead-letter topic is not lost; that it is there is I9."""
    assert broken(damaged(rows=GOOD.rows[1:], dead=(letter_of(POISON), _healthy_letter()))) == {"I9"}


def test_unknown_outcome_may_go_either_way() -> None:
    """An event whose sender got no answer may be stored, and may be absent."""
    assert broken(sound()) == set()
    assert broken(damaged(rows=(*GOOD.rows, row_of(sent(22))))) == set()


def test_latest_version_must_be_stored() -> None:
    """Of two accepted versions of one event the one with the later time must be in the row."""
    case = sound()
    later = sent(1, time="2026-01-01T13:00:00Z", type="login")
    both = (*case.sent, replace(later, number=24))
    assert broken(replace(case, sent=both)) == {"I4"}
    assert broken(replace(case, sent=both, snapshot=replace(GOOD, rows=(row_of(later), *GOOD.rows[1:])))) == set()


def test_anomalies_of_replaced_version_stay() -> None:
    """An anomaly found in a version that a newer one replaced is neither missing nor without reason."""
    case = sound()
    tenth = GOOD.rows[9]
    newer = sent(10, time="2026-01-01T13:00:00Z", data={"data": "sample_data_50"})
    rows = tuple(row_of(newer) if row.id == tenth.id else row for row in GOOD.rows)
    snapshot = replace(GOOD, rows=rows, superseded=(tenth,))
    assert broken(replace(case, sent=(*case.sent, newer), snapshot=snapshot)) == set()


def test_steady_emission_is_not_a_phantom() -> None:
    """Rows of the shared sample sources are no phantoms for a ledger that also used such a source."""
    case = sound()
    mine = sent(31, source="web")
    other = row_of(sent(32, source="web"))
    snapshot = replace(GOOD, rows=(*GOOD.rows, row_of(mine), other))
    assert broken(replace(case, sent=(*case.sent, mine), snapshot=snapshot)) == set()


def test_identity_conflict_is_a_rightful_dead_letter() -> None:
    """A UUID that another source uses already is dead-lettered, although the event itself is healthy."""
    case = sound()
    thief = sent(1, source="another-source")
    headers = (("ce_id", str(FIRST.id).encode()), ("ce_source", b"another-source"))
    position = Position(topic="signal-events", partition=0, offset=1)
    letter = letter_of(RawRecord(key=None, value=b"{}", headers=headers, position=position))
    snapshot = replace(GOOD, dead=(*GOOD.dead, letter))
    assert broken(replace(case, sent=(*case.sent, thief), snapshot=snapshot)) == set()


def test_report_names_what_is_wrong() -> None:
    """The printed table shows how much was checked and names each broken thing."""
    text = str(judge(damaged(rows=GOOD.rows[1:])))
    assert "no loss" in text
    assert str(FIRST.id) in text
