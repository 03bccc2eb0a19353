"""The Kafka binding of CloudEvents, against the rules of its text and against the CloudEvents SDK."""

from datetime import UTC, datetime, timedelta

import pytest
from cloudevents.kafka import from_binary, from_structured, to_binary, to_structured
from cloudevents.kafka.conversion import KafkaMessage
from hypothesis import given
from hypothesis import strategies as st

from signal_pipeline.errors import InvalidEvent
from signal_pipeline.events.envelope import CloudEvent, event_from_attributes
from signal_pipeline.events.kafka import KafkaRecord, OutgoingRecord, decode_record, encode_record

SOURCE = "/apis/v1/namespaces/default/kafkasources/process-signal"
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=40)
EXTENSIONS = st.dictionaries(
    st.from_regex("x[a-z0-9]{1,10}", fullmatch=True),
    TEXT,
    max_size=3,
)


def record(out: OutgoingRecord) -> KafkaRecord:
    """Return a produced record as a consumer reads it."""
    return KafkaRecord("signal-events", 1, 7, 1_700_000_000_000, out.key, out.value, out.headers)


def plain(
    value: bytes | None, *, key: bytes | None = None, headers: tuple[tuple[str, bytes | None], ...] = ()
) -> KafkaRecord:
    """Return a record that is no CloudEvent."""
    return KafkaRecord("signal-events", 1, 7, 1_700_000_000_000, key, value, headers)


@st.composite
def events(draw: st.DrawFn) -> CloudEvent:
    """Draw valid events with JSON data, other bytes, or nothing."""
    attributes = {"specversion": "1.0", "id": draw(TEXT), "source": draw(TEXT), "type": draw(TEXT), **draw(EXTENSIONS)}
    if draw(st.booleans()):
        attributes["subject"] = draw(TEXT)
    if draw(st.booleans()):
        moment = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(microseconds=draw(st.integers(0, 10**15)))
        attributes["time"] = moment.isoformat()
    body = draw(st.sampled_from([None, b'{"data":"sample_data_42"}', b"[1,2.5,null]", b"\x00\xff"]))
    attributes["datacontenttype"] = "application/octet-stream" if body == b"\x00\xff" else "application/json"
    return event_from_attributes(attributes, body)


@given(events())
def test_an_event_survives_the_way_through_kafka(event: CloudEvent) -> None:
    """Decoding what was encoded gives the same event, whatever its text, data and extensions."""
    assert decode_record(record(encode_record(event, topic="signal-events")), source=SOURCE) == event


@given(events())
def test_the_sdk_reads_what_we_write(event: CloudEvent) -> None:
    """The CloudEvents SDK finds our attributes in our records."""
    out = encode_record(event, topic="signal-events")
    message = KafkaMessage(headers=dict(out.headers), key=out.key, value=out.value or b"null")
    read = from_binary(message, data_unmarshaller=lambda raw: raw)
    assert (read["id"], read["source"], read["type"]) == (event.id, event.source, event.type)
    assert {name: read[name] for name in event.extensions} == dict(event.extensions)


def test_we_read_what_the_sdk_writes_in_binary_mode() -> None:
    """A record of the SDK in binary mode is the same event here."""
    from cloudevents.http import CloudEvent as SdkEvent  # noqa: PLC0415 - only here

    attributes = {
        "id": "1",
        "source": "web",
        "type": "click",
        "userid": "user_1",
        "datacontenttype": "application/json",
    }
    sdk = SdkEvent(attributes, {"data": "x"})
    message = to_binary(sdk)
    headers = tuple((name, value) for name, value in message.headers.items())
    event = decode_record(plain(message.value, headers=headers), source=SOURCE)
    assert (event.id, event.source, event.type, event.data) == ("1", "web", "click", {"data": "x"})
    assert event.extensions["userid"] == "user_1"


def test_structured_mode_is_read_as_the_sdk_reads_it() -> None:
    """A structured record gives the event in its value."""
    from cloudevents.http import CloudEvent as SdkEvent  # noqa: PLC0415 - only here

    sdk = SdkEvent({"id": "1", "source": "web", "type": "click"}, {"data": "x"})
    message = to_structured(sdk)
    # The SDK's own content type is that of the data; the binding wants the event format's.
    headers = (("content-type", b"application/cloudevents+json"),)
    event = decode_record(plain(message.value, headers=headers), source=SOURCE)
    assert event.id == from_structured(message)["id"]
    assert event.data == {"data": "x"}


def test_the_key_is_the_partition_key_else_the_user_else_the_id() -> None:
    """Events of one user share a key, unless a partition key says otherwise."""
    base = CloudEvent(id="i", source="s", type="t")
    assert encode_record(base, topic="t").key == b"i"
    subject = CloudEvent(id="i", source="s", type="t", subject="user_1")
    assert encode_record(subject, topic="t").key == b"user_1"
    user = CloudEvent(id="i", source="s", type="t", subject="x", extensions={"userid": "user_2"})
    assert encode_record(user, topic="t").key == b"user_2"
    keyed = CloudEvent(id="i", source="s", type="t", extensions={"userid": "u", "partitionkey": "k"})
    assert encode_record(keyed, topic="t").key == b"k"


def test_a_plain_record_becomes_what_a_kafkasource_makes_of_it() -> None:
    """Id, type, source, subject, key and headers are those of Knative's KafkaSource."""
    event = decode_record(
        plain(
            b'{"id":"x"}',
            key=b"k1",
            headers=(("Content-Type", b"Application/JSON"), ("X-Trace_Id", b"abc"), ("null", None)),
        ),
        source=SOURCE,
    )
    assert event.id == "partition:1/offset:7"
    assert event.type == "dev.knative.kafka.event"
    assert event.source == f"{SOURCE}#signal-events"
    assert event.subject == "partition:1#7"
    assert event.time == datetime.fromtimestamp(1_700_000_000, UTC)
    assert event.datacontenttype == "application/json"
    assert event.extensions == {"key": "k1", "partitionkey": "k1", "kafkaheaderxtraceid": "abc"}


@pytest.mark.parametrize(
    "headers",
    [
        (("ce_specversion", b"1.0"), ("ce_id", b"\xff"), ("ce_source", b"s"), ("ce_type", b"t")),
        (("ce_specversion", b"1.0"), ("ce_id", None), ("ce_source", b"s"), ("ce_type", b"t")),
        (("ce_specversion", b"1.0"), ("ce_id", b"i"), ("ce_source", b"s"), ("ce_type", b"t"), ("ce_data", b"x")),
        (("ce_specversion", b"1.0"), ("ce_id", b"i"), ("ce_source", b"s"), ("ce_type", b"t"), ("ce_Bad-Name", b"x")),
        (("ce_specversion", b"7"), ("ce_id", b"i"), ("ce_source", b"s"), ("ce_type", b"t")),
    ],
    ids=["not UTF-8", "null id", "data as attribute", "bad name", "unknown version"],
)
def test_a_broken_cloudevent_is_refused_not_disguised(headers: tuple[tuple[str, bytes | None], ...]) -> None:
    """A record that claims to be a CloudEvent and is none is invalid."""
    with pytest.raises(InvalidEvent):
        decode_record(plain(b"{}", headers=headers), source=SOURCE)


@pytest.mark.parametrize("timestamp", [-1, 0, 2**63 - 1])
def test_any_timestamp_can_be_written(timestamp: int) -> None:
    """A record's timestamp comes from outside and may be absent or absurd."""
    odd = KafkaRecord("t", 0, 0, timestamp, None, b"{}", ())
    assert decode_record(odd, source=SOURCE).time is not None


def test_binary_keys_and_headers_of_a_plain_record_cost_it_nothing() -> None:
    """A key or header that no attribute can hold stands as base64, and a long header name is cut."""
    record = KafkaRecord(
        topic="t",
        partition=0,
        offset=7,
        timestamp_ms=0,
        key=b"\x00\x00\x00\x2a",
        value=b'{"a":1}',
        headers=(("trace-bin", b"\xff\x01"), ("x" * 300, b"v")),
    )

    event = decode_record(record, source="/source")

    assert event.extensions["key"] == "AAAAKg=="
    assert event.extensions["kafkaheadertracebin"] == "/wE="
    assert event.extensions["kafkaheader" + "x" * 53] == "v"
    assert event.data == {"a": 1}
