"""The simulated KafkaSource makes of a record, and of an answer, what the real one does."""

import base64
from typing import Any

import pytest

from tests.support.knative_event import SourceEvent, event_of, given_up
from tests.support.knative_source import Delivery, delivery_of

EVENT = (("ce_specversion", b"1.0"), ("ce_id", b"1"), ("ce_source", b"web"), ("ce_type", b"click"))


class Record:
    """A record as the Kafka client gives it."""

    def __init__(self, value: bytes | None, *headers: tuple[str, bytes | None], key: bytes | None = None) -> None:
        self._value, self._headers, self._key = value, headers, key

    def value(self) -> bytes | None:
        """The value."""
        return self._value

    def headers(self) -> list[tuple[str, bytes | None]]:
        """The headers."""
        return list(self._headers)

    def key(self) -> bytes | None:
        """The key."""
        return self._key

    def topic(self) -> str:
        """The topic."""
        return "signal-events"

    def partition(self) -> int:
        """The partition."""
        return 3

    def offset(self) -> int:
        """The offset."""
        return 41

    def timestamp(self) -> tuple[int, int]:
        """Kind and time in milliseconds."""
        return 1, 1_700_000_000_000


def made_of(record: Any) -> SourceEvent:
    """Return the event that a source called `/s` makes of a record."""
    return event_of(record, "/s")


def test_an_event_keeps_its_attributes_and_gains_its_place() -> None:
    """A CloudEvent is sent as it is, with the partition and the offset of its record."""
    headers = made_of(Record(b"{}", *EVENT, ("content-type", b"application/json"))).http_headers()
    place = {"ce-knativekafkapartition": "3", "ce-knativekafkaoffset": "41"}
    named = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "web", "ce-type": "click"}
    assert headers == {**named, **place, "content-type": "application/json"}


@pytest.mark.parametrize(
    "headers",
    [(), EVENT[:-1], (*EVENT, ("ce_Bad", b"x")), (("ce_specversion", b"2.0"), *EVENT[1:])],
    ids=["plain", "no type", "bad name", "other version"],
)
def test_what_is_no_event_is_wrapped_in_one(headers: tuple[tuple[str, bytes]]) -> None:
    """A record that is no sound event becomes one about its place, its headers extensions of it."""
    event = made_of(Record(b"x", *headers, key=b"k"))
    wanted = {"id": "partition:3/offset:41", "source": "/s#signal-events", "type": "dev.knative.kafka.event"}
    assert wanted.items() <= event.attributes.items()
    assert (event.attributes["key"], event.attributes["partitionkey"], event.data) == ("k", "k", b"x")
    assert {f"kafkaheader{name.replace('_', '').lower()}" for name, _ in headers} <= event.attributes.keys()


def test_a_structured_record_is_sent_in_binary_mode() -> None:
    """The value of a structured record is taken apart; one that is broken is wrapped."""
    kind = ("content-type", b"application/cloudevents+json")
    whole = b'{"specversion": "1.0", "id": "1", "source": "web", "type": "click", "data": {"a": 1}}'
    event = made_of(Record(whole, kind))
    assert (event.attributes["id"], event.attributes["datacontenttype"], event.data) == (
        "1",
        "application/json",
        b'{"a": 1}',
    )
    assert made_of(Record(whole[:20], kind)).attributes["type"] == "dev.knative.kafka.event"


def test_an_event_that_is_given_up_says_why() -> None:
    """Status, the first 1,024 bytes of the answer, and its headers `Kne-` without that prefix become extensions."""
    event = SourceEvent(attributes={"id": "1", "errorid": "own"}, data=None)
    headers = {"Kne-Failureclass": "rejected", "KNE-Errorid": "7", "Retry-After": "1"}
    sent = given_up(event, "http://f", (422, headers, b"x" * 2000)).attributes
    assert (sent["knativeerrordest"], sent["knativeerrorcode"]) == ("http://f", "422")
    assert base64.b64decode(sent["knativeerrordata"]) == b"x" * 1024
    assert (sent["failureclass"], sent["errorid"]) == ("rejected", "7")
    assert "retry-after" not in sent
    silent = given_up(event, "http://f", None).attributes
    assert silent == {"id": "1", "errorid": "own", "knativeerrordest": "http://f"}


def test_pauses_grow_as_the_manifest_says() -> None:
    """Exponential: 0.2 s doubled for each repetition; linear: a multiple of it."""
    given = delivery_of("process-signal")
    assert given == Delivery(retry=4, delay_seconds=0.2, linear=False, timeout_seconds=30)
    assert [round(given.pause(number), 1) for number in (1, 2, 3, 4)] == [0.4, 0.8, 1.6, 3.2]
    steady = Delivery(retry=2, delay_seconds=0.5, linear=True, timeout_seconds=30)
    assert [steady.pause(number) for number in (1, 2, 3)] == [0.5, 1.0, 1.5]
