"""The table of cases: records, and the verdict that every platform must give on each."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from signal_pipeline.domain.dead_letters import metadata_headers
from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.events.kafka import KafkaRecord
from tests.support.dead_letters import failure_metadata

__all__ = ["BUSY_CASES", "CASES", "DOWN_CASES", "Case", "Fresh"]

DURABLE = "durable"
_JSON = ("content-type", b"application/json")


class Fresh:
    """Identities that no other run of a case has.

    Attributes:
        source: Source of all its events.
    """

    def __init__(self) -> None:
        self.source = f"case-{uuid4().hex}"
        self._offset = uuid4().int % 1_000_000_000

    def record(self, value: bytes | None, *headers: tuple[str, bytes], topic: str = "signal-events") -> KafkaRecord:
        """Return a record at a place of its own."""
        self._offset += 1
        return KafkaRecord(topic, 3, self._offset, 1_790_000_000_000, b"user_7", value, headers)

    def event(
        self, data: bytes = b'{"session_id":"sess_12345","data":"sample_data_50"}', **changes: str
    ) -> KafkaRecord:
        """Return an event in Kafka's binary mode; a change to the empty text leaves an attribute out."""
        attributes = {"specversion": "1.0", "id": str(uuid4()), "source": self.source, "type": "click"}
        attributes |= {"subject": "user_7", "time": "2026-09-01T10:00:00Z"} | changes
        named = [(f"ce_{name}", value.encode()) for name, value in attributes.items() if value]
        return self.record(data, *named, _JSON)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row of the table.

    Attributes:
        name: What is special.
        records: Makes the records that are delivered.
        verdicts: One per record.
        rows: Signals that are stored afterwards.
        role: Who is called.
        dead_letters: Dead letters that are recorded afterwards.
    """

    name: str
    records: Callable[[Fresh], Sequence[KafkaRecord]]
    verdicts: Sequence[str] = (DURABLE,)
    rows: int = 0
    role: str = "process-signal"
    dead_letters: int = 0


def _structured(fresh: Fresh) -> KafkaRecord:
    event = {"specversion": "1.0", "id": str(uuid4()), "source": fresh.source, "type": "click", "data": {"data": "a"}}
    return fresh.record(json.dumps(event).encode(), ("content-type", b"application/cloudevents+json"))


def _plain(fresh: Fresh, **changes: Any) -> KafkaRecord:
    older = {"event_id": str(uuid4()), "user_id": "user_7", "source": fresh.source, "type": "click"}
    older |= {"event_ts": "2026-09-01T10:00:00Z", "payload": {"data": "sample_data_50"}} | changes
    return fresh.record(json.dumps(older).encode())


def _twice(record: KafkaRecord) -> list[KafkaRecord]:
    return [record, record]


def _conflict(fresh: Fresh) -> list[KafkaRecord]:
    first = fresh.event()
    stolen = dict(first.headers)["ce_id"].decode()
    return [first, fresh.event(id=stolen, source=f"{fresh.source}-other")]


def _mixed(fresh: Fresh) -> list[KafkaRecord]:
    return [fresh.event(), fresh.event(b'{"broken'), fresh.event(), fresh.event(b'{"a":"\\u0000"}'), fresh.event()]


def _dead_letter(fresh: Fresh, failure_class: FailureClass) -> KafkaRecord:
    event = fresh.event()
    metadata = failure_metadata(failure_class, partition=3, offset=event.offset)
    return fresh.record(event.value, *event.headers, *metadata_headers(metadata), topic="signal-events-dlq")


CASES = (
    Case(name="an event", records=lambda fresh: [fresh.event()], rows=1),
    Case(name="an event without a time", records=lambda fresh: [fresh.event(time="")], rows=1),
    Case(name="a structured event", records=lambda fresh: [_structured(fresh)], rows=1),
    Case(name="a plain record", records=lambda fresh: [_plain(fresh)], rows=1),
    Case(name="the same event again", records=lambda fresh: _twice(fresh.event()), verdicts=(DURABLE,) * 2, rows=1),
    Case(
        name="three events, not all different",
        records=lambda fresh: [*_twice(fresh.event()), fresh.event()],
        verdicts=(DURABLE,) * 3,
        rows=2,
    ),
    Case(name="broken JSON", records=lambda fresh: [fresh.event(b'{"broken')], verdicts=("invalid not_json",)),
    Case(name="not UTF-8", records=lambda fresh: [fresh.event(b'"\xff"')], verdicts=("invalid not_utf8",)),
    Case(name="U+0000", records=lambda fresh: [fresh.event(b'{"a":"\\u0000"}')], verdicts=("invalid nul_character",)),
    Case(
        name="a lone surrogate",
        records=lambda fresh: [fresh.event(b'{"a":"\\ud800"}')],
        verdicts=("invalid lone_surrogate",),
    ),
    Case(name="too deep", records=lambda fresh: [fresh.event(b"[" * 200 + b"]" * 200)], verdicts=("invalid too_deep",)),
    Case(
        name="a number out of range",
        records=lambda fresh: [fresh.event(b'{"a":1e999}')],
        verdicts=("invalid number_out_of_range",),
    ),
    Case(
        name="too large",
        records=lambda fresh: [fresh.event(b'"' + b"a" * (256 * 1024) + b'"')],
        verdicts=("invalid payload_too_large",),
    ),
    Case(
        name="no such time",
        records=lambda fresh: [fresh.event(time="2026-02-30T10:00:00Z")],
        verdicts=("invalid invalid_attribute",),
    ),
    Case(
        name="a plain record that is no signal",
        records=lambda fresh: [fresh.record(b'{"hello":"world"}')],
        verdicts=("invalid not_a_signal",),
    ),
    Case(
        name="an id of another source",
        records=_conflict,
        verdicts=(DURABLE, "rejected identity_conflict"),
        rows=1,
    ),
    Case(
        name="poison among good ones",
        records=_mixed,
        verdicts=(DURABLE, "invalid not_json", DURABLE, "invalid nul_character", DURABLE),
        rows=3,
    ),
    Case(name="poison is skipped by the rules", records=_mixed, verdicts=(DURABLE,) * 5, role="detect-anomaly"),
    Case(
        name="an anomaly",
        records=lambda fresh: _twice(fresh.event(b'{"data":"sample_data_97"}')),
        verdicts=(DURABLE,) * 2,
        rows=1,
        role="detect-anomaly",
    ),
    Case(
        name="dead letters",
        records=lambda fresh: [
            _dead_letter(fresh, FailureClass.REJECTED),
            *_twice(_dead_letter(fresh, FailureClass.UNEXPECTED)),
        ],
        verdicts=(DURABLE,) * 3,
        role="replay-dlq",
        dead_letters=2,
    ),
    Case(
        name="an event that is no outbox row",
        records=lambda fresh: [fresh.event(id="4711")],
        verdicts=("invalid not_an_outbox_event",),
        role="confirm-outbox",
    ),
    Case(
        name="an outbox event that was purged",
        records=lambda fresh: [fresh.event(time="2020-01-01T00:00:00Z")],
        role="confirm-outbox",
    ),
)

DOWN_CASES = (
    Case(name="an event", records=lambda fresh: [fresh.event()], verdicts=("dependency database_timeout",)),
    Case(name="poison", records=lambda fresh: [fresh.event(b'{"broken')], verdicts=("invalid not_json",)),
)

BUSY_CASES = (Case(name="an event", records=lambda fresh: [fresh.event()], verdicts=("overload overloaded",)),)
