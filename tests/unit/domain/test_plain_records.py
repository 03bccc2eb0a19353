"""Plain Kafka records in the older JSON shape, as a KafkaSource wraps them."""

import json
from datetime import timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.domain.signals import PLAIN_RECORD_TYPE, signal_id
from tests.unit.domain.signal_events import A_UUID, ACCEPTED_AT, EVENT_TIME, Event, json_event, refusal, signal


def plain(data: Any, **attributes: Any) -> Event:
    """Return a plain Kafka record as a KafkaSource wraps it."""
    return json_event(data, id="partition:0/offset:7", source="/topics#t", type=PLAIN_RECORD_TYPE, **attributes)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"event_id": A_UUID, "source": "web", "type": "login"}, (UUID(A_UUID), None, "web", "login", ACCEPTED_AT)),
        ({"id": "1", "source": "web", "type": "x"}, (signal_id("web", "1"), None, "web", "x", ACCEPTED_AT)),
        (
            {
                "id": "2",
                "event_id": "1",
                "source": "a",
                "type": "b",
                "user_id": "u",
                "event_ts": "2026-01-02T03:04:05Z",
            },
            (signal_id("a", "1"), "u", "a", "b", EVENT_TIME),
        ),
        (
            {"id": "1", "source": "a", "type": "b", "user_id": None, "timestamp": "2026-01-02T04:04:05+01:00"},
            (signal_id("a", "1"), None, "a", "b", EVENT_TIME),
        ),
    ],
)
def test_a_plain_record_is_a_signal(record: Any, expected: Any) -> None:
    """The older JSON shape is understood; without a time of its own it has that of its record, else of acceptance."""
    found = signal(plain(record, time=None))
    assert (found.id, found.user_id, found.source, found.type, found.event_ts) == expected


def test_a_plain_record_without_a_time_has_its_records() -> None:
    """The broker's timestamp is the better guess than the time of acceptance."""
    assert signal(plain({"id": "1", "source": "a", "type": "b"})).event_ts == EVENT_TIME


@pytest.mark.parametrize(("payload", "text"), [({"a": "é"}, '{"a": "é"}'), (None, "null"), (10**30, "1" + "0" * 30)])
def test_the_payload_of_a_plain_record(payload: Any, text: str) -> None:
    """A payload of any type is kept, every digit of it; an absent one is absent."""
    record = {"id": A_UUID, "source": "a", "type": "b"}
    found = signal(plain(record | {"payload": payload}))
    assert (found.payload, found.payload_json, found.extensions_json) == (payload, text, None)
    assert signal(plain(record)).payload_json is None


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (None, "not_a_signal"),
        ([], "not_a_signal"),
        ("text", "not_a_signal"),
        ({}, "not_a_signal"),
        ({"source": "a", "type": "b"}, "not_a_signal"),
        ({"id": "", "source": "a", "type": "b"}, "not_a_signal"),
        ({"id": 1, "source": "a", "type": "b"}, "not_a_signal"),
        ({"id": "1", "type": "b"}, "not_a_signal"),
        ({"id": "1", "source": "a"}, "not_a_signal"),
        ({"id": "1", "source": "a", "type": ""}, "not_a_signal"),
        ({"id": "1", "source": "a", "type": "b", "user_id": 5}, "not_a_signal"),
        ({"id": "1", "source": "a", "type": "b", "event_ts": 1767225600}, "invalid_time"),
        ({"id": "1", "source": "a", "type": "b", "event_ts": "infinity"}, "invalid_time"),
        ({"id": "1", "source": "a", "type": "b", "event_ts": "2026-01-02T03:04:05"}, "invalid_time"),
        ({"id": "1", "source": "a", "type": "b", "event_ts": "٢٠٢٦-01-01T00:00:00Z"}, "invalid_time"),
        ({"id": "1", "source": "a", "type": "b", "timestamp": "0001-01-01T00:00:00+01:00"}, "invalid_time"),
        ({"id": "1", "source": "a", "type": "b", "user_id": "x" * 257}, "text_too_long"),
        ({"id": "1", "source": "a", "type": "b", "payload": {"session_id": "x" * 257}}, "text_too_long"),
    ],
)
def test_any_other_plain_record_is_invalid(record: Any, code: str) -> None:
    """A record that does not say what it is, by whom and when, can never become a signal."""
    failure = refusal(plain(record))
    assert (failure.failure_class, failure.code, failure.http_status) == (FailureClass.INVALID, code, 422)


def test_plain_bytes_are_invalid() -> None:
    """A record that is not JSON is no signal."""
    assert refusal(Event(type=PLAIN_RECORD_TYPE, datacontenttype="text/plain", data_bytes=b"x")).code == "not_a_signal"


def test_times_of_other_zones_are_the_same_instant() -> None:
    """A time is an instant: its zone changes nothing."""
    zone = timezone(timedelta(hours=5))
    record = {"id": "1", "source": "a", "type": "b", "event_ts": EVENT_TIME.astimezone(zone).isoformat()}
    assert signal(plain(record)).event_ts.isoformat() == EVENT_TIME.isoformat()


def test_members_without_a_column_are_kept() -> None:
    """What a plain record says beyond the older shape becomes extensions; nothing of it is lost."""
    record = {"id": A_UUID, "source": "a", "type": "b", "severity": 9, "tags": ["x"]}
    assert json.loads(signal(plain(record)).extensions_json or "") == {"severity": 9, "tags": ["x"]}


def test_an_unmarked_cloud_event_is_refused() -> None:
    """A structured CloudEvent without its content type is no plain record: read as one it would lose its data."""
    record = {"specversion": "1.0", "id": A_UUID, "source": "a", "type": "b", "data": {"x": 1}}
    assert refusal(plain(record)).code == "unmarked_cloud_event"
