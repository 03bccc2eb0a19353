"""How records travel to a function: nothing is lost, nothing crashes, nobody pays for a neighbour."""

import base64
from urllib.parse import unquote

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signal_pipeline.errors import InvalidEvent
from signal_pipeline.events.envelope import event_from_attributes, event_from_json
from signal_pipeline.events.json_guard import load_json
from signal_pipeline.events.kafka import KafkaRecord, decode_record
from signal_pipeline.events.kafka_wire import RAW_RECORD_TYPE, batch_message, single_message

SOURCE = "/apis/v1/namespaces/default/kafkasources/process-signal"
EVENT = (("ce_specversion", b"1.0"), ("ce_id", b"1"), ("ce_source", b"web"), ("ce_type", b"click"))
JSON = (*EVENT, ("content-type", b"application/json"))

header_names = st.one_of(
    st.sampled_from(["ce_id", "ce_source", "ce_type", "ce_specversion", "ce_time", "ce_data", "content-type", "ce_"]),
    st.text(st.characters(codec="utf-8"), max_size=8),
)
records = st.builds(
    KafkaRecord,
    topic=st.just("signal-events"),
    partition=st.integers(0, 5),
    offset=st.integers(0, 2**62),
    timestamp_ms=st.integers(-1, 2**62),
    key=st.none() | st.binary(max_size=10),
    value=st.none()
    | st.binary(max_size=20)
    | st.sampled_from([b'{"a":1}', b'{"a": 1}', b'{"a":1,"a":2}', b'"\\u0000"']),
    headers=st.lists(st.tuples(header_names, st.none() | st.binary(max_size=10)), max_size=8).map(tuple),
)


def record(value: bytes | None, headers: tuple[tuple[str, bytes | None], ...] = JSON) -> KafkaRecord:
    """Return a record of a topic."""
    return KafkaRecord("signal-events", 1, 7, 1_700_000_000_000, b"k", value, headers)


def outcome_of_batch(items: list[KafkaRecord]) -> list[object]:
    """Return what a function reads of each element: the event, or the code of the refusal."""
    value, plain = load_json(batch_message(items, source=SOURCE, wrap_record=False).body)
    outcomes: list[object] = []
    for element in value:
        try:
            outcomes.append(event_from_json(element, plain=plain))
        except InvalidEvent as exc:
            outcomes.append(exc.failure.failure_class)
    return outcomes


@given(st.lists(records, min_size=1, max_size=4))
def test_no_record_can_break_a_batch(items: list[KafkaRecord]) -> None:
    """Whatever bytes a topic holds, a batch is JSON with one element for each record."""
    assert len(outcome_of_batch(items)) == len(items)


@given(records)
def test_no_record_can_break_a_request(item: KafkaRecord) -> None:
    """Whatever bytes a topic holds, a request has header names and values that HTTP can carry."""
    for name, value in single_message(item, source=SOURCE, wrap_record=False).headers.items():
        assert name.isascii()
        assert name.replace("-", "").replace("_", "").isalnum()
        assert value.isascii()
        assert value.isprintable()


@given(records)
def test_a_batch_element_is_judged_as_the_record_itself(item: KafkaRecord) -> None:
    """The function accepts from a batch exactly what the binding accepts from the record, with the same content."""
    try:
        expected = decode_record(item, source=SOURCE)
    except InvalidEvent:
        expected = None
    (found,) = outcome_of_batch([item])
    if expected is None:
        assert found == "invalid"
    else:
        assert (found.id, found.source, found.data, found.data_bytes) == (  # type: ignore[attr-defined]
            expected.id,
            expected.source,
            expected.data,
            expected.data_bytes,
        )


def test_plain_json_is_embedded_and_other_json_travels_apart() -> None:
    """Only a value that orjson writes back byte for byte stands in the batch itself."""
    body = batch_message([record(b'{"a":1}'), record(b'{"a": 1}'), record(b"{")], source=SOURCE, wrap_record=False).body
    embedded, spaced, broken = orjson.loads(body)
    assert embedded["data"] == {"a": 1}
    assert base64.b64decode(spaced["data_base64"]) == b'{"a": 1}'
    assert base64.b64decode(broken["data_base64"]) == b"{"


@pytest.mark.parametrize("value", [b"{", b'{"a":1,"a":2}', b'"\\u0000"', b"1e9999", b'"\xff"'])
def test_one_poison_leaves_the_batch_plain(value: bytes) -> None:
    """A poison record is refused alone, and its neighbours keep the fast path."""
    body = batch_message([record(b'{"a":1}'), record(value)], source=SOURCE, wrap_record=False).body
    assert load_json(body)[1]
    good, bad = outcome_of_batch([record(b'{"a":1}'), record(value)])
    assert good != "invalid"
    assert bad == "invalid"


def test_a_binary_request_is_that_of_a_kafkasource() -> None:
    """Attributes are percent-encoded headers, the body is the value's bytes, and the place of the record is added."""
    headers = (*JSON, ("ce_subject", "Jürgen %".encode()))
    message = single_message(record(b'{"a": 1}', headers), source=SOURCE, wrap_record=False)
    assert message.body == b'{"a": 1}'
    assert message.headers["ce-subject"] == "J%C3%BCrgen%20%25"
    assert unquote(message.headers["ce-subject"]) == "Jürgen %"
    assert message.headers["content-type"] == "application/json"
    assert message.headers["ce-knativekafkapartition"] == "1"
    assert message.headers["ce-knativekafkaoffset"] == "7"


def test_a_structured_record_is_sent_in_binary_mode() -> None:
    """A KafkaSource sends binary mode whatever the mode on the topic."""
    value = b'{"specversion":"1.0","id":"9","source":"web","type":"click","data":{"a":1}}'
    message = single_message(
        record(value, (("content-type", b"application/cloudevents+json"),)), source=SOURCE, wrap_record=False
    )
    assert message.headers["ce-id"] == "9"
    assert message.body == b'{"a":1}'


def test_a_wrapped_record_keeps_every_byte() -> None:
    """With `wrap: record` key, value and headers arrive as they were, null and repeated headers included."""
    headers = (("a", b"\xff\x00"), ("a", None), ("ce_id", b"1"))
    item = KafkaRecord("signal-events-dlq", 0, 3, 5, b"\x80", None, headers)
    (element,) = orjson.loads(batch_message([item], source=SOURCE, wrap_record=True).body)
    data = event_from_json(element, plain=True).data
    assert element["type"] == RAW_RECORD_TYPE
    assert data["value_base64"] is None
    assert base64.b64decode(data["key_base64"]) == b"\x80"
    assert [(name, value and base64.b64decode(value)) for name, value in data["headers"]] == list(headers)
    single = single_message(item, source=SOURCE, wrap_record=True)
    attributes = {name.removeprefix("ce-"): value for name, value in single.headers.items() if name.startswith("ce-")}
    assert event_from_attributes(attributes, single.body).data == data
