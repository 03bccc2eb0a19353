"""The audit decides about a record as the functions do, and names what is missing."""

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from signal_pipeline.commands.verify_claims import (
    Claim,
    claim_of,
    failure_id,
    letter_keys,
    may_be_purged,
    name_of,
    origin_id,
)
from signal_pipeline.commands.verify_figures import AuditFigures, Verdict, recorded_violations, verdict_of, violations
from signal_pipeline.commands.verify_store import AnomalyCounts, OutboxCounts, PublishedCounts, UnpublishedCounts
from signal_pipeline.domain.dead_letters import DeadLetterMetadata, Disposition, dead_letter_id, metadata_headers
from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.domain.signals import signal_id
from signal_pipeline.events.kafka import Headers, KafkaRecord

NOON = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)
SIGNAL = UUID("7d444840-9dc0-11d1-b245-5ffdce74fad2")
CLICK: Headers = (
    ("ce_specversion", b"1.0"),
    ("ce_id", str(SIGNAL).encode()),
    ("ce_source", b"web"),
    ("ce_type", b"click"),
)
CLEAN = AuditFigures(
    places=Counter(stored=10),
    missing=0,
    missing_names=(),
    beyond=0,
    idle_groups=(),
    anomalies=AnomalyCounts(total=1, without_event=0, with_several=0, without_event_ids=[], with_several_ids=[]),
    outbox=OutboxCounts(total=1, orphans=0, orphan_ids=[], looked_at=NOON),
    published=PublishedCounts(total=1, repeated=0, unknown=0, unknown_ids=[]),
    unpublished=UnpublishedCounts(missing=0, young=0, missing_ids=[]),
    foreign_events=0,
)


def record(headers: Headers = CLICK, value: bytes | None = None, *, offset: int = 5) -> KafkaRecord:
    """Return a record of partition 2 that was written at noon."""
    return KafkaRecord("signal-events", 2, offset, NOON_MS, b"user_1", value, headers)


def letter(group: str, *, headers: Headers = CLICK) -> KafkaRecord:
    """Return the dead letter that a group made of the click, or of a record with other headers."""
    metadata = DeadLetterMetadata(
        topic="signal-events",
        partition=2,
        offset=5,
        timestamp_ms=NOON_MS,
        failure_class=FailureClass.UNEXPECTED,
        code="500",
        message="",
        attempts=5,
        first_failed_at=NOON,
        last_failed_at=NOON,
        group=group,
        function=group,
        build="1",
        disposition=Disposition.EXHAUSTED,
    )
    return KafkaRecord("signal-events-dlq", 0, 0, NOON_MS, b"user_1", None, (*headers, *metadata_headers(metadata)))


def test_a_dead_letter_that_could_not_be_recorded_accounts_for_its_record() -> None:
    """Given up by replay-dlq too, it is in quarantine with two layers of metadata: the inner one names the record."""
    poison = letter("process-signal", headers=())
    outer = letter("replay-dlq", headers=poison.headers)
    assert failure_id(record(())) in letter_keys([outer])
    outer = letter("replay-dlq", headers=letter("detect-anomaly").headers)
    assert SIGNAL not in letter_keys([outer])  # as little as when it is recorded


def test_a_cloudevent_is_looked_for_by_its_row() -> None:
    """The identity of an event is the key of its row, together with its source."""
    claim = claim_of(record())
    assert (claim.signal_id, claim.source) == (SIGNAL, "web")


def test_a_plain_record_is_looked_for_by_what_its_json_says() -> None:
    """A plain record's identity is the id and the source in its JSON, not where it lies."""
    value = json.dumps({"event_id": "e-1", "source": "legacy", "type": "click"}).encode()
    claim = claim_of(record((), value))
    assert (claim.signal_id, claim.source) == (signal_id("legacy", "e-1"), "legacy")


@pytest.mark.parametrize(
    ("headers", "value"),
    [
        pytest.param((), b"garbage", id="no-json"),
        pytest.param(CLICK[:-1], None, id="no-type"),
        pytest.param((*CLICK, ("content-type", b"application/json")), b'{"a": "\\u0000"}', id="unstorable"),
    ],
)
def test_a_record_that_is_no_signal_is_looked_for_by_its_place(headers: Headers, value: bytes | None) -> None:
    """What can never be stored must be a dead letter of exactly this record."""
    claim = claim_of(record(headers, value))
    assert claim.signal_id is None
    expected = dead_letter_id(group="process-signal", topic="signal-events", partition=2, offset=5)
    assert failure_id(claim.record) == expected
    assert str(expected) in name_of(claim)


def test_a_missing_event_is_named_by_place_and_identity() -> None:
    """A person can find the event in Kafka and would know its row."""
    assert name_of(Claim(record(), SIGNAL, "web")) == (
        f"signal-events partition 2 offset 5: signal {SIGNAL} of source web"
    )


@pytest.mark.parametrize(
    ("value", "expected"), [(str(SIGNAL).encode(), SIGNAL), (b"forged", None), (b"\xff", None), (None, None)]
)
def test_the_origin_of_a_replayed_record_is_a_uuid_or_nothing(value: bytes | None, expected: UUID | None) -> None:
    """Whatever a header says, reading it does not fail."""
    assert origin_id(record((*CLICK, ("ce_dlqorigin", value)))) == expected


def test_an_unread_dead_letter_accounts_for_its_record_and_its_signal() -> None:
    """A dead letter of process-signal stands for the failure and for the event, wherever that is sent again."""
    assert letter_keys([letter("process-signal")]) == [failure_id(record()), SIGNAL]


def test_a_dead_letter_of_detect_anomaly_does_not_account_for_storing() -> None:
    """Another group's failure says nothing about whether process-signal stored the event."""
    keys = letter_keys([letter("detect-anomaly")])
    assert SIGNAL not in keys
    assert failure_id(record()) not in keys


@pytest.mark.parametrize(
    ("purged_before", "expected"),
    [
        pytest.param(None, False, id="never-purged"),
        pytest.param(NOON - timedelta(hours=1), False, id="purged-long-before"),
        pytest.param(NOON + timedelta(seconds=1), True, id="purged"),
        pytest.param(NOON - timedelta(minutes=4), True, id="may-repeat-a-purged-one"),
    ],
)
def test_what_the_purge_may_have_reached_is_not_missing(purged_before: datetime | None, expected: bool) -> None:  # noqa: FBT001
    """A record from before the mark may have lost its row to age, and so may one that was sent shortly after."""
    assert may_be_purged(record(), purged_before) is expected


def test_a_clean_audit_has_no_violations() -> None:
    """Repeats on anomaly-events are counted and allowed: delivery is at least once."""
    repeats = replace(CLEAN.published, repeated=3)
    assert violations(replace(CLEAN, published=repeats)) == []


@pytest.mark.parametrize(
    ("changes", "kind", "what"),
    [
        ({"missing": 1}, "missing_events", "events are neither stored nor dead-lettered"),
        (
            {"anomalies": replace(CLEAN.anomalies, without_event=1)},
            "anomalies_without_outbox_row",
            "anomalies have no outbox row",
        ),
        (
            {"anomalies": replace(CLEAN.anomalies, with_several=1)},
            "anomalies_with_several_outbox_rows",
            "anomalies have several outbox rows",
        ),
        ({"outbox": replace(CLEAN.outbox, orphans=1)}, "outbox_rows_without_anomaly", "outbox rows have no anomaly"),
        (
            {"unpublished": replace(CLEAN.unpublished, missing=1)},
            "outbox_rows_without_event",
            "outbox rows have no event on anomaly-events",
        ),
        (
            {"published": replace(CLEAN.published, unknown=1)},
            "anomaly_events_without_outbox_row",
            "events on anomaly-events have no outbox row",
        ),
        (
            {"foreign_events": 1},
            "anomaly_events_without_uuid",
            "events on anomaly-events have an id that is no UUID",
        ),
    ],
)
def test_each_breach_is_a_violation(changes: dict[str, Any], kind: str, what: str) -> None:
    """One of anything that must not be is enough; it has words for a person and a name for the record."""
    found = violations(replace(CLEAN, **changes))
    assert [(each.kind, each.what, each.count) for each in found] == [(kind, what, 1)]
    assert verdict_of(replace(CLEAN, **changes)) is Verdict.FAILED
    assert recorded_violations(replace(CLEAN, **changes)) == {kind: 1}


@pytest.mark.parametrize(
    ("changes", "verdict", "recorded"),
    [
        pytest.param({}, Verdict.PASSED, {}, id="all-audited"),
        pytest.param({"beyond": 5}, Verdict.PASSED, {}, id="a-part-audited"),
        pytest.param({"places": Counter()}, Verdict.PASSED, {}, id="no-events"),
        pytest.param(
            {"places": Counter(), "beyond": 5}, Verdict.NOTHING_AUDITED, {"nothing_audited": 5}, id="none-audited"
        ),
        pytest.param(
            {"places": Counter(), "beyond": 5, "foreign_events": 1},
            Verdict.FAILED,
            {"nothing_audited": 5, "anomaly_events_without_uuid": 1},
            id="none-audited-and-a-breach",
        ),
    ],
)
def test_an_audit_of_no_event_passes_only_without_events(
    changes: dict[str, Any], verdict: Verdict, recorded: dict[str, int]
) -> None:
    """Events of which none could be audited are no success: the verdict and the record say so."""
    figures = replace(CLEAN, **changes)
    assert verdict_of(figures) is verdict
    assert recorded_violations(figures) == recorded
