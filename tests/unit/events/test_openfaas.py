"""Kafka records as OpenFaaS' connector posts them become the events that a KafkaSource would send."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signal_pipeline.events.envelope import CloudEvent, RefusedEvent
from signal_pipeline.events.http import Mode, decode_request
from signal_pipeline.events.kafka import KafkaRecord, decode_record
from signal_pipeline.events.openfaas import _record, connector_message

PLACE = [("x-topic", "signal-events"), ("x-kafka-partition", "3"), ("x-kafka-offset", "7")]
CE = {"ce_specversion": "1.0", "ce_id": "1", "ce_source": "web", "ce_type": "login", "ce_subject": "Jürgen"}
DATA = {"session_id": "sess_12345"}


def posted(*headers: tuple[str, str], body: bytes = b"") -> CloudEvent | RefusedEvent:
    """Decode a record that the connector posted."""
    request = decode_request([*PLACE, ("content-type", "text/plain"), *headers], body)
    assert request.mode is Mode.RECORD
    (event,) = request.events
    return event


def consumed(body: bytes, key: bytes | None = None, headers: dict[str, str] | None = None) -> CloudEvent:
    """Decode the same record as it is in Kafka."""
    pairs = tuple((name, value.encode()) for name, value in (headers or {}).items())
    record = KafkaRecord("signal-events", 3, 7, 0, key, body, pairs)
    return decode_record(record, source="/openfaas/kafka-connector")


def without_time(event: CloudEvent) -> dict[str, Any]:
    """Return the parts of an event but its time, which the connector does not tell."""
    return {name: getattr(event, name) for name in CloudEvent.__dataclass_fields__ if name != "time"}


def test_a_cloud_event() -> None:
    """A record with ce_ headers is its event, whatever content type the request itself has."""
    headers = CE | {"content-type": "application/json"}
    names = [(f"x-kafka-{name}", value.encode().decode("latin-1")) for name, value in headers.items()]
    body = json.dumps(DATA).encode()
    assert posted(*names, body=body) == consumed(body, headers=headers)


def test_a_structured_event() -> None:
    """A record whose value is the whole event is that event."""
    body = json.dumps({name.removeprefix("ce_"): value for name, value in CE.items()} | {"data": DATA}).encode()
    header = ("x-kafka-content-type", "application/cloudevents+json")
    assert posted(header, body=body) == consumed(body, headers={"content-type": "application/cloudevents+json"})


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ([], None),
        ([("x-kafka-key", "user_1")], b"user_1"),
        ([("x-kafka-key", "w6k="), ("x-kafka-key-enc", "b64")], "é".encode()),
    ],
)
def test_a_plain_record(headers: list[tuple[str, str]], key: bytes | None) -> None:
    """Any other record is wrapped, named by its place, with its key, and without a time that nobody told."""
    body = json.dumps({"id": "1", "source": "web", "type": "login"}).encode()
    found = posted(*headers, ("x-kafka-my-header", "x"), body=body)
    expected = decode_record(
        KafkaRecord("signal-events", 3, 7, 0, key, body, (("my-header", b"x"),)), source="/openfaas/kafka-connector"
    )
    assert isinstance(found, CloudEvent), found
    assert without_time(found) == without_time(expected)
    assert found.time is None
    assert found.id == "partition:3/offset:7"


@pytest.mark.parametrize(
    "headers",
    [
        [("x-topic", "t")],
        [("x-topic", "t"), ("x-kafka-partition", "0")],
        [("x-topic", "t"), ("x-kafka-partition", "-1"), ("x-kafka-offset", "7")],
        [("x-topic", "t"), ("x-kafka-partition", "0"), ("x-kafka-offset", "9" * 5000)],
        [*PLACE, ("x-kafka-key", "!"), ("x-kafka-key-enc", "b64")],
    ],
)
def test_a_record_without_a_place_is_invalid(headers: list[tuple[str, str]]) -> None:
    """A record that does not say where it stands, or whose key is broken, is refused by itself."""
    (event,) = decode_request(headers, b"{}").events
    assert isinstance(event, RefusedEvent)
    assert event.failure.code == "invalid_record"


NAMES = st.sampled_from(["ce_id", "my-header", "x.y"])
VALUES = st.text("aZ09 -é", max_size=9).map(str.strip).map(str.encode)
RECORDS = st.builds(
    KafkaRecord,
    topic=st.just("signal-events"),
    partition=st.integers(0, 99),
    offset=st.integers(0, 2**63 - 1),
    timestamp_ms=st.just(0),
    key=st.none() | st.binary(max_size=20),
    value=st.none() | st.binary(max_size=50),
    headers=st.dictionaries(NAMES, VALUES).map(lambda found: tuple(found.items())),
)


@given(RECORDS)
def test_what_is_written_for_a_handler_of_that_connector_is_what_was_read(record: KafkaRecord) -> None:
    """Place, key, headers and value of a written record are read back as they were, whatever bytes the key has."""
    message = connector_message(record)
    headers = [(name.lower(), value.encode().decode("latin-1")) for name, value in message.headers.items()]
    found = _record(headers, message.body)
    assert (found.topic, found.partition, found.offset) == (record.topic, record.partition, record.offset)
    assert (found.key, found.value) == (record.key, record.value or b"")
    assert sorted(found.headers) == sorted(record.headers)


def test_what_http_cannot_carry_is_left_out() -> None:
    """Line breaks, bytes that are no text, names that are no tokens, and headers that would pass for the place."""
    headers: tuple[tuple[str, bytes | None], ...] = (
        ("good", b"1"), ("lines", b"a\r\nX-Api-Key: b"), ("bytes", b"\xff"), ("a b", b"1"), ("Offset", b"9"),
        ("key-enc", b"b64"), ("null", None), ("twice", b"1"), ("twice", b"2"),
    )  # fmt: skip
    sent = connector_message(KafkaRecord("t", 3, 7, 0, b" k", b"v", headers)).headers
    assert sent == {
        "X-Topic": "t",
        "X-Kafka-Partition": "3",
        "X-Kafka-Offset": "7",
        "X-Kafka-Key": "IGs=",
        "X-Kafka-Key-Enc": "b64",
        "X-Kafka-good": "1",
        "X-Kafka-null": "",
        "X-Kafka-twice": "2",
        "Content-Type": "text/plain",
    }
