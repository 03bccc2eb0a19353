"""Dead letters in each form in which a source can deliver them."""

import base64
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signal_pipeline.domain.dead_letters import (
    NAMES,
    ORIGIN_HEADER,
    DeadLetterMetadata,
    Disposition,
    metadata_headers,
)
from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.errors import InvalidEvent
from signal_pipeline.events.dead_letter import letter_of, letter_of_record
from signal_pipeline.events.envelope import CloudEvent
from signal_pipeline.events.http import decode_request
from signal_pipeline.events.kafka import KafkaRecord
from signal_pipeline.events.kafka_wire import RAW_RECORD_TYPE, batch_message, single_message

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
FAILED = datetime(2026, 1, 1, 11, tzinfo=UTC)
SIGNAL_ID = UUID("7d444840-9dc0-11d1-b245-5ffdce74fad2")
METADATA = DeadLetterMetadata(
    topic="signal-events",
    partition=3,
    offset=41,
    timestamp_ms=1_767_265_200_000,
    failure_class=FailureClass.UNEXPECTED,
    code="500",
    message="the function failed",
    attempts=5,
    first_failed_at=FAILED,
    last_failed_at=NOW,
    group="process-signal",
    function="process-signal",
    build="0.1.0",
    disposition=Disposition.EXHAUSTED,
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)
EVENT_HEADERS = (
    ("ce_specversion", b"1.0"),
    ("ce_id", str(SIGNAL_ID).encode()),
    ("ce_source", b"web"),
    ("ce_type", b"click"),
    ("content-type", b"application/json"),
)


def record(headers: Any, value: bytes | None = b'{"data":"x"}', key: bytes | None = b"user_1") -> KafkaRecord:
    """Return a record on the dead-letter topic."""
    return KafkaRecord("signal-events-dlq", 0, 7, 0, key, value, tuple(headers))


def source_event(extensions: dict[str, str], **attributes: Any) -> CloudEvent:
    """Return the event that a KafkaSource makes."""
    names: dict[str, Any] = {"id": str(SIGNAL_ID), "source": "web", "type": "click", **attributes}
    return CloudEvent(extensions=extensions, data={"data": "x"}, data_json=b'{"data":"x"}', **names)


@pytest.mark.parametrize("size", [2, 1_500_000])
@pytest.mark.parametrize("batch", [False, True])
def test_wrapped_record_is_read_byte_for_byte(size: int, *, batch: bool) -> None:
    """What our trigger sends, alone or in a batch, gives back all of the record, up to the topic's limit."""
    value = b"\xff" * size
    sent = record((*EVENT_HEADERS, ("x", None), *metadata_headers(METADATA)), value=value)
    if batch:
        message = batch_message([sent], source="s", wrap_record=True)
    else:
        message = single_message(sent, source="s", wrap_record=True)
    headers = [(name.lower(), content) for name, content in message.headers.items()]
    event = decode_request(headers, message.body, max_event_bytes=4 * 1024**2).events[0]
    assert isinstance(event, CloudEvent)
    letter = letter_of(event, now=NOW)
    assert (letter.key, letter.value, letter.headers) == (b"user_1", value, (*EVENT_HEADERS, ("x", None)))
    assert letter.metadata == METADATA


def test_identity_is_read_from_the_original_record() -> None:
    """A valid event tells its id, its source and the key of its row."""
    letter = letter_of_record(record((*EVENT_HEADERS, *metadata_headers(METADATA))), now=NOW)
    assert (letter.event_id, letter.event_source, letter.signal_id) == (str(SIGNAL_ID), "web", SIGNAL_ID)


def test_origin_is_a_claim_of_the_original_headers() -> None:
    """A replayed record that failed again names the dead letter that it came from."""
    headers = (*EVENT_HEADERS, (ORIGIN_HEADER, str(SIGNAL_ID).encode()), *metadata_headers(METADATA))
    assert letter_of_record(record(headers), now=NOW).origin == SIGNAL_ID


def test_source_event_with_extensions() -> None:
    """An event with `dlq*` extensions is rebuilt without them and without what the transport added."""
    ours = {name.removeprefix("ce_"): content.decode() for name, content in metadata_headers(METADATA)}
    event = source_event({**ours, "knativekafkaoffset": "7", "knativekafkapartition": "0", "color": "red"})
    letter = letter_of(event, now=NOW)
    assert letter.metadata == METADATA
    assert dict(letter.headers).keys() == {
        "ce_specversion",
        "ce_id",
        "ce_source",
        "ce_type",
        "ce_color",
        "content-type",
    }
    assert letter.value == b'{"data":"x"}'
    assert letter.signal_id == SIGNAL_ID


def test_source_event_that_wraps_a_plain_record() -> None:
    """A plain record keeps key and value, and the claim that it was replayed."""
    ours = {"kafkaheader" + name.replace("_", ""): content.decode() for name, content in metadata_headers(METADATA)}
    extensions = {**ours, "key": "user_1", "kafkaheadercedlqorigin": str(SIGNAL_ID), "kafkaheaderx": "y"}
    letter = letter_of(source_event(extensions, type="dev.knative.kafka.event"), now=NOW)
    assert letter.metadata == METADATA
    assert (letter.key, letter.value, letter.origin) == (b"user_1", b'{"data":"x"}', SIGNAL_ID)
    assert ("x", b"y") in letter.headers


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("503", FailureClass.DEPENDENCY),
        ("502", FailureClass.DEPENDENCY),
        ("504", FailureClass.DEPENDENCY),
        ("408", FailureClass.DEPENDENCY),
        ("429", FailureClass.OVERLOAD),
        ("422", FailureClass.INVALID),
        ("404", FailureClass.ENDPOINT),
        ("500", FailureClass.UNEXPECTED),
        ("0", FailureClass.UNEXPECTED),
    ],
)
def test_dead_letter_of_knative(code: str, expected: FailureClass) -> None:
    """A dead letter without our metadata is understood by Knative's: the status gives the class."""
    extensions = {
        "knativeerrordest": "http://process-signal.default",
        "knativeerrorcode": code,
        "knativekafkapartition": "0",
        "knativekafkaoffset": "9",
    }
    metadata = letter_of(source_event(extensions), now=NOW).metadata
    assert (metadata.failure_class, metadata.function, metadata.topic) == (expected, "process-signal", "signal-events")


def test_class_that_the_function_told_knative_wins() -> None:
    """The header `Kne-Failureclass`, which Knative copies as `failureclass`, is more precise than the status."""
    extensions = {"knativeerrorcode": "422", "failureclass": "rejected"}
    assert letter_of(source_event(extensions), now=NOW).metadata.failure_class is FailureClass.REJECTED


def test_problem_that_the_function_answered_tells_code_and_reason() -> None:
    """Of the answer that Knative kept in base64, the problem's code and detail are those of the dead letter."""
    problem = base64.b64encode(b'{"code": "identity_conflict", "detail": "taken", "status": 422}').decode()
    metadata = letter_of(source_event({"knativeerrorcode": "422", "knativeerrordata": problem}), now=NOW).metadata
    assert (metadata.code, metadata.message) == ("identity_conflict", "taken")


@pytest.mark.parametrize(
    ("data", "message"),
    [("bm9wZQ==", "nope"), ("no base64", "no base64"), ("WzFd", "[1]"), ("eyJjb2RlIjogMX0=", '{"code": 1}'), ("", "")],
)
def test_answer_that_is_no_problem_is_the_reason_itself(data: str, message: str) -> None:
    """Any other answer is kept as its text, under its status."""
    metadata = letter_of(source_event({"knativeerrorcode": "500", "knativeerrordata": data}), now=NOW).metadata
    assert (metadata.code, metadata.message) == ("500", message)


def test_what_knative_added_does_not_come_back() -> None:
    """The record of a letter that Knative wrote is the event without Knative's extensions, in both forms."""
    added = {"knativeerrordest": "http://x", "knativeerrorcode": "503", "failureclass": "dependency", "errorid": "1"}
    kept = letter_of(source_event({**added, "own": "1"}), now=NOW).headers
    sent = (*EVENT_HEADERS, ("ce_own", b"1"), ("failureclass", b"no attribute"))
    written = (*sent, *((f"ce_{name}", value.encode()) for name, value in added.items()))
    raw = letter_of_record(record(written, b"{}", None), now=NOW)
    assert raw.metadata.failure_class is FailureClass.DEPENDENCY
    assert raw.headers == sent
    assert not {f"ce_{name}" for name in added} & {name for name, _ in kept}
    assert ("ce_own", b"1") in kept


def test_letter_of_knative_has_the_id_that_our_trigger_would_give_it() -> None:
    """A record that a KafkaSource gave up says where the original lay: given up either way, it is one dead letter."""
    added = {"knativeerrordest": "http://process-signal.default", "knativeerrorcode": "422"}
    place = {"knativekafkapartition": "3", "knativekafkaoffset": "41"}
    written = [*EVENT_HEADERS, *((f"ce_{name}", value.encode()) for name, value in {**added, **place}.items())]
    assert letter_of_record(record(written), now=NOW).metadata.id == METADATA.id
    without = [header for header in written if header[0] != "ce_knativekafkaoffset"]
    unplaced = letter_of_record(record(without), now=NOW).metadata
    assert (unplaced.group, unplaced.partition, unplaced.offset) == ("knative", 0, 7)


def test_extension_of_the_senders_own_is_no_copy() -> None:
    """An event that Knative did not give up keeps extensions of the same names."""
    ours = {"dlqtopic": "signal-events", "dlqpartition": "1", "dlqoffset": "7", "errorid": "own"}
    assert ("ce_errorid", b"own") in letter_of(source_event(ours), now=NOW).headers


def test_ids_of_letters_without_a_place_differ() -> None:
    """Dead letters that came without Kafka's coordinates are told apart by their identity."""
    first = letter_of(source_event({"knativeerrorcode": "500"}), now=NOW)
    second = letter_of(source_event({"knativeerrorcode": "500"}, source="mobile"), now=NOW)
    assert first.metadata.id != second.metadata.id


@given(
    key=st.none() | st.binary(max_size=20),
    value=st.none() | st.binary(max_size=200),
    headers=st.lists(st.tuples(st.text(max_size=20), st.none() | st.binary(max_size=50)), max_size=5),
)
def test_garbage_is_poison(key: bytes | None, value: bytes | None, headers: Any) -> None:
    """Any record without metadata is a poison dead letter of its own place, with its own bytes."""
    letter = letter_of_record(record(headers, value, key), now=NOW)
    assert (letter.key, letter.value, letter.headers) == (key, value, tuple(headers))
    assert (letter.metadata.topic, letter.metadata.offset) == ("signal-events-dlq", 7)
    assert letter.metadata.disposition is Disposition.POISON


@given(values=st.lists(st.binary(max_size=80), min_size=len(NAMES), max_size=len(NAMES)))
def test_forged_metadata_never_fails(values: list[bytes]) -> None:
    """Whatever stands in the metadata, a dead letter comes out whose parts are in their ranges."""
    letter = letter_of_record(record(zip(NAMES, values, strict=True)), now=NOW)
    metadata = letter.metadata
    assert metadata.attempts >= 1
    assert metadata.first_failed_at <= metadata.last_failed_at
    assert len(metadata.code.encode()) <= 256


@pytest.mark.parametrize("data", [None, [], {"topic": "t"}, {"topic": 1, "partition": "x"}])
def test_event_that_wraps_no_record_is_refused(data: Any) -> None:
    """An event of the record type without a record in it is invalid."""
    event = CloudEvent(id="1", source="s", type=RAW_RECORD_TYPE, data=data, data_json=orjson.dumps(data))
    with pytest.raises(InvalidEvent):
        letter_of(event, now=NOW)
