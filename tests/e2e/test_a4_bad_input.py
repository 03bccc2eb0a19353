"""A4: each poison record is one dead letter with its own bytes; its neighbours are stored."""

import json
from typing import Any

from tests.checker.model import RawRecord
from tests.support.metrics import metric, page, topic_end
from tests.support.pipeline import Pipeline
from tests.support.sender import Sender, binary_record, event, events
from tests.support.waiting import wait_for

_JSON = ("content-type", b"application/json")
_STRUCTURED = ("content-type", b"application/cloudevents+json; charset=UTF-8")


def _with(**attributes: Any) -> RawRecord:
    """Return the record of an event some of whose attributes are exchanged, or left out when they are None."""
    changed = {**event("a4-poison"), **attributes}
    return binary_record({name: value for name, value in changed.items() if value is not None})


def _valued(value: bytes | None) -> RawRecord:
    """Return the record of an event with another value."""
    headers = tuple((name, content) for name, content in _with().headers if name != "ce_id")
    return RawRecord(key=b"user_1", value=value, headers=(*headers, ("ce_id", b"a4-value")))


def _plain(value: bytes | None, *headers: tuple[str, bytes | None]) -> RawRecord:
    """Return a record that is no CloudEvent."""
    return RawRecord(key=b"user_1", value=value, headers=headers)


def _structured(value: bytes) -> RawRecord:
    """Return a record that says that its value is a whole event."""
    return RawRecord(key=None, value=value, headers=(_STRUCTURED,))


POISON: dict[str, RawRecord] = {
    "no JSON": _plain(b"hello"),
    "not UTF-8": _plain(b'{"id": "\xff\xfe"}'),
    "null value": _plain(None),
    "empty value": _plain(b""),
    "only headers": _plain(None, ("trace", b"1"), ("trace", None)),
    "JSON number": _plain(b"42"),
    "JSON list": _plain(b"[1, 2]"),
    "JSON without an id": _plain(b'{"source": "web", "type": "click"}', _JSON),
    "JSON with a time that is none": _plain(b'{"id": "1", "source": "a4", "type": "t", "event_ts": "infinity"}', _JSON),
    "data cut short": _valued(b'{"data": "x'),
    "data not UTF-8": _valued(b'{"data": "\xc3\x28"}'),
    "data with U+0000": _valued(b'{"data": "a\\u0000b"}'),
    "data with a lone surrogate": _valued(b'{"data": "\\ud800"}'),
    "data with NaN": _valued(b'{"data": NaN}'),
    "data with a number beyond range": _valued(b'{"data": 1e200000}'),
    "data with the same key twice": _valued(b'{"data": 1, "data": 2}'),
    "data nested too deeply": _valued(b"[" * 100 + b"]" * 100),
    "data too large": _valued(json.dumps({"data": "x" * 300_000}).encode()),
    "version 2.0": _with(specversion="2.0"),
    "no source": _with(source=None),
    "no type": _with(type=None),
    "empty id": _with(id=""),
    "infinite time": _with(time="infinity"),
    "time without a zone": _with(time="2026-01-01T00:00:00"),
    "user too long": _with(subject="u" * 300),
    "session too long": _with(data={"session_id": "s" * 300}),
    "id not UTF-8": _plain(
        b"{}", ("ce_specversion", b"1.0"), ("ce_id", b"\xff"), ("ce_source", b"s"), ("ce_type", b"t")
    ),
    "header name that no attribute has": RawRecord(
        key=None, value=b"{}", headers=(*_with(id="a4-name").headers, ("ce_Bad-Name", b"x"))
    ),
    "structured and cut short": _structured(b'{"specversion": "1.0", "id": '),
    "structured and a list": _structured(b"[]"),
    "structured of version 0.3": _structured(b'{"specversion": "0.3", "id": "1", "source": "a4", "type": "t"}'),
    "structured without an id": _structured(b'{"specversion": "1.0", "source": "a4", "type": "t"}'),
}


def test_poison_is_dead_lettered_exactly(pipeline: Pipeline, sender: Sender) -> None:
    """Among 500 healthy records exactly the poison, of every kind, is dead-lettered, byte for byte."""
    settings = pipeline.settings
    port = settings.metrics_port("process-signal")
    counted, written = metric(page(port), "signals_dlq_total"), topic_end(settings, "signal-events-dlq")
    healthy = [(binary_record(each, key=each["subject"].encode()), each) for each in events(500, sender.source)]
    records: list[tuple[RawRecord, dict[str, Any] | None]] = [*healthy]
    for number, poison in enumerate(POISON.values()):
        records.insert(number * 15 + 7, (poison, None))
    sender.produce("signal-events", records)
    report = pipeline.check(sender.sent())
    assert report.sound, str(report)
    assert report.checked("I1") == 500
    assert topic_end(settings, "signal-events-dlq") - written == len(POISON)
    wait_for(
        lambda: metric(page(port), "signals_dlq_total") - counted == len(POISON), seconds=10, what="an exact counter"
    )


def test_single_poison_costs_its_neighbours_nothing(pipeline: Pipeline, sender: Sender) -> None:
    """One poison record in the middle of one partition's batch of 500 is dead-lettered alone."""
    healthy = [(binary_record(each, key=b"one key"), each) for each in events(499, sender.source)]
    poison = RawRecord(key=b"one key", value=b"\x00\x01", headers=())
    sender.produce("signal-events", [*healthy[:250], (poison, None), *healthy[250:]])
    report = pipeline.check(sender.sent())
    assert report.sound, str(report)
    assert report.checked("I1") == 499


def test_null_value_with_attributes_is_an_event(pipeline: Pipeline, sender: Sender) -> None:
    """A record with all attributes and no value is a healthy event, and so are a plain and a structured one."""
    bare = {name: value for name, value in event(sender.source).items() if name != "data"}
    headers = tuple((f"ce_{name}", str(value).encode()) for name, value in bare.items())
    whole = event(sender.source, id="structured")
    plain = event(sender.source, id="plain")
    older = {
        "event_id": plain["id"],
        "user_id": plain["subject"],
        "source": plain["source"],
        "type": plain["type"],
        "event_ts": plain["time"],
        "payload": plain["data"],
    }
    sender.produce(
        "signal-events",
        [
            (RawRecord(key=None, value=None, headers=headers), bare),
            (_structured(json.dumps(whole).encode()), whole),
            (_plain(json.dumps(older).encode(), ("content-type", b"application/json")), plain),
        ],
    )
    report = pipeline.check(sender.sent())
    assert report.sound, str(report)
    assert report.checked("I3") == 3
