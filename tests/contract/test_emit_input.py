"""Bad input of emit is refused by exactly one status and never produced; what only looks bad is published."""

import base64
import json
from typing import Any

import pytest

from signal_pipeline.serving.app import FunctionApp
from tests.contract.emit_app import BATCH, BINARY, EVENT, JSON, STRUCTURED, Headers, RecordingProducer, post


def big(size: int) -> dict[str, Any]:
    """Return an event whose data has so many bytes."""
    return EVENT | {"data": "x" * (size - 2)}


BAD: list[tuple[str, Headers, Any, int]] = [
    ("not JSON", [STRUCTURED], b"{", 400),
    ("trailing garbage", [STRUCTURED], json.dumps(EVENT).encode() + b"x", 400),
    ("byte order mark", [STRUCTURED], b"\xef\xbb\xbf" + json.dumps(EVENT).encode(), 400),
    ("UTF-16", [STRUCTURED], json.dumps(EVENT).encode("utf-16"), 400),
    ("UTF-16, announced", [("content-type", "application/cloudevents+json; charset=utf-16")], b"", 415),
    ("empty envelope", [STRUCTURED], b"", 400),
    ("scalar envelope", [STRUCTURED], b"5", 400),
    ("list as envelope", [STRUCTURED], b"[]", 400),
    ("no id", [STRUCTURED], {key: EVENT[key] for key in ("specversion", "source", "type")}, 400),
    ("no source", [STRUCTURED], {key: EVENT[key] for key in ("specversion", "id", "type")}, 400),
    ("no type", [STRUCTURED], {key: EVENT[key] for key in ("specversion", "id", "source")}, 400),
    ("no specversion", [STRUCTURED], {key: EVENT[key] for key in ("id", "source", "type")}, 400),
    ("no specversion, binary", BINARY[1:], b"", 400),
    ("specversion 0.3", [STRUCTURED], EVENT | {"specversion": "0.3"}, 400),
    ("empty id", [STRUCTURED], EVENT | {"id": ""}, 400),
    ("long id", [STRUCTURED], EVENT | {"id": "x" * 257}, 400),
    ("long type", [STRUCTURED], EVENT | {"type": "x" * 10_000}, 400),
    ("long user", [STRUCTURED], EVENT | {"userid": "x" * 3000}, 422),
    ("long session", [STRUCTURED], EVENT | {"data": {"session_id": "x" * 3000}}, 422),
    ("long session, not text", [STRUCTURED], EVENT | {"data": {"session_id": ["x" * 300]}}, 422),
    ("bad time", [STRUCTURED], EVENT | {"time": "yesterday"}, 400),
    ("time without zone", [STRUCTURED], EVENT | {"time": "2026-01-02T03:04:05"}, 400),
    ("infinite time", [STRUCTURED], EVENT | {"time": "infinity"}, 400),
    ("year 300000", [STRUCTURED], EVENT | {"time": "300000-01-01T00:00:00Z"}, 400),
    ("leap second", [STRUCTURED], EVENT | {"time": "2016-12-31T23:59:60Z"}, 400),
    ("bad extension name", [STRUCTURED], EVENT | {"my_ext": "x"}, 400),
    ("extension list", [STRUCTURED], EVENT | {"myext": []}, 400),
    ("too many extensions", [STRUCTURED], EVENT | {f"x{number}": "v" for number in range(57)}, 400),
    ("NaN", [STRUCTURED], EVENT | {"data": float("nan")}, 400),
    ("Infinity", [STRUCTURED], EVENT | {"data": [float("inf")]}, 400),
    ("duplicate key", [STRUCTURED], json.dumps(EVENT).encode()[:-1] + b',"data":{"a":1,"a":2}}', 400),
    ("5,000 digits", [STRUCTURED], json.dumps(EVENT).encode()[:-1] + b',"data":' + b"1" * 5000 + b"}", 400),
    ("1e200000", [STRUCTURED], json.dumps(EVENT).encode()[:-1] + b',"data":1e200000}', 400),
    ("1e-400", [STRUCTURED], json.dumps(EVENT).encode()[:-1] + b',"data":1e-400}', 400),
    ("depth 33", [STRUCTURED], EVENT | {"data": json.loads("[" * 33 + "]" * 33)}, 400),
    ("depth 300", [JSON, *BINARY], b"[" * 300 + b"]" * 300, 400),
    ("depth 10,000", [JSON, *BINARY], b"[" * 10_000 + b"]" * 10_000, 400),
    ("U+0000", [STRUCTURED], EVENT | {"data": "\x00"}, 400),
    ("U+0000 in a key", [STRUCTURED], EVENT | {"data": {"\x00": 1}}, 400),
    ("U+0000 in the id", [STRUCTURED], EVENT | {"id": "\x00"}, 400),
    ("U+0000 in a header", [*BINARY, ("ce-subject", "%00")], b"", 400),
    ("lone surrogate", [STRUCTURED], EVENT | {"data": "\ud800"}, 400),
    ("broken UTF-8", [JSON, *BINARY], b'"\xff"', 400),
    ("broken UTF-8 in a header", [*BINARY, ("ce-subject", "%FF")], b"", 400),
    ("binary, not JSON", [JSON, *BINARY], b"{", 400),
    ("id twice", [*BINARY, ("ce-id", "2")], b"", 400),
    ("data and data_base64", [STRUCTURED], EVENT | {"data": 1, "data_base64": "MQ=="}, 400),
    ("bad base64", [STRUCTURED], EVENT | {"data_base64": "!"}, 400),
    ("data over the limit", [STRUCTURED], big(256 * 1024 + 1), 413),
    ("data over the limit, binary", [*BINARY, ("content-type", "text/plain")], b"x" * (256 * 1024 + 1), 413),
    ("body over the limit", [BATCH], b" " * (4 * 1024**2 + 1), 413),
    ("compressed", [STRUCTURED, ("content-encoding", "gzip")], b"\x1f\x8b", 415),
    ("compressed count", [JSON, ("content-encoding", "gzip")], b"\x1f\x8b", 415),
    ("count in UTF-16", [("content-type", "application/json; charset=utf-16")], '{"count":1}'.encode("utf-16"), 415),
    ("XML", [("content-type", "text/xml")], b"<x/>", 415),
    ("no content type", [], b"{}", 415),
    ("form", [("content-type", "application/x-www-form-urlencoded")], b"count=1", 415),
    ("unknown structured format", [("content-type", "application/cloudevents+xml")], b"<x/>", 415),
    ("batch that is no list", [BATCH], EVENT, 400),
    ("batch of bad events only", [BATCH], [5, EVENT | {"id": ""}], 400),
    ("batch of too many", [BATCH], [0] * 10_001, 413),
    ("other JSON: object", [JSON], {}, 400),
    ("other JSON: list", [JSON], [], 400),
    ("other JSON: text", [JSON], "count", 400),
    ("other JSON: an event without its type", [JSON], EVENT, 400),
    ("other JSON: more than a count", [JSON], {"count": 1, "rate": 1}, 400),
    ("other JSON: not JSON", [JSON], b"count=1", 400),
    ("count 0", [JSON], {"count": 0}, 400),
    ("count -1", [JSON], {"count": -1}, 400),
    ("count 10,001", [JSON], {"count": 10_001}, 400),
    ("count 1.0", [JSON], {"count": 1.0}, 400),
    ("count text", [JSON], {"count": "1"}, 400),
    ("count true", [JSON], {"count": True}, 400),
    ("count null", [JSON], {"count": None}, 400),
    ("count twice", [JSON], b'{"count":1,"count":2}', 400),
    ("count of 5,000 digits", [JSON], b'{"count":' + b"1" * 5000 + b"}", 400),
    (
        "plain record without source",
        [STRUCTURED],
        EVENT | {"type": "dev.knative.kafka.event", "data": {"id": "1"}},
        422,
    ),
]


@pytest.mark.parametrize(("headers", "body", "status"), [bad[1:] for bad in BAD], ids=[bad[0] for bad in BAD])
@pytest.mark.parametrize("path", ["/", "/emit"])
async def test_bad_input(
    emit: FunctionApp, producer: RecordingProducer, path: str, headers: Headers, body: Any, status: int
) -> None:
    """Bad input is answered by exactly one status, as a problem, and nothing of it is produced."""
    answer = await post(emit, body, *headers, path=path)
    assert (answer.status, producer.records) == (status, []), answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.body) < 1024
    assert answer.json["class"] == "invalid"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ([STRUCTURED], big(256 * 1024)),
        ([STRUCTURED], big(64 * 1024)),
        ([STRUCTURED], EVENT | {"data_base64": base64.b64encode(b'{"a":1}').decode()}),
        ([STRUCTURED], EVENT | {f"x{number}": "v" for number in range(56)}),
        ([STRUCTURED], EVENT | {"data": {"a": "\\u0000", "$gt": "", "__proto__": "'; DROP TABLE signals; --"}}),
        ([STRUCTURED], EVENT | {"data": {"n": 10**300}}),
        ([STRUCTURED], EVENT | {"traceparent": "garbage", "tracestate": "x" * 8000}),
        ([*BINARY, ("content-type", "image/png")], b"\x89PNG\x00"),
        ([*BINARY, ("ce-subject", "J%C3%BCrgen")], b""),
    ],
)
async def test_unusual_but_good_input(
    emit: FunctionApp, producer: RecordingProducer, headers: Headers, body: Any
) -> None:
    """What only looks dangerous is published."""
    answer = await post(emit, body, *headers)
    assert (answer.status, len(producer.records)) == (202, 1), answer.body
