"""emit, form by form: what is accepted, what is refused, and that nothing refused is ever produced."""

import base64
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from signal_pipeline.broker.producer import ProduceError
from signal_pipeline.events.kafka import OutgoingRecord
from signal_pipeline.observability.metrics import function_registry
from signal_pipeline.roles.emit import Emit
from signal_pipeline.security.tokens import Tokens, TokenType
from signal_pipeline.serving.app import FunctionApp
from signal_pipeline.serving.metrics_page import MetricsPage
from signal_pipeline.settings import Settings
from tests.unit.serving.asgi import Answer, call

SETTINGS = Settings(_env_file=None)
KEY = ("x-api-key", SETTINGS.emit_api_key.get_secret_value())
JSON = ("content-type", "application/json")
STRUCTURED = ("content-type", "application/cloudevents+json")
BATCH = ("content-type", "application/cloudevents-batch+json")
EVENT = {"specversion": "1.0", "id": "1", "source": "web", "type": "login"}
BINARY = tuple((f"ce-{name}", value) for name, value in EVENT.items())
Headers = Sequence[tuple[str, str]]


class RecordingProducer:
    """Stands in for Kafka at the one place where records leave: keeps them, and answers as it is told."""

    def __init__(self) -> None:
        self.records: list[OutgoingRecord] = []
        self.errors: dict[int, ProduceError] = {}

    async def produce(self, records: Sequence[OutgoingRecord]) -> list[ProduceError | None]:
        """Keep the records that are not told to fail."""
        first = len(self.records)
        self.records += records
        return [self.errors.get(first + index) for index in range(len(records))]

    async def ready(self) -> bool:
        """Tell that a broker answers."""
        return True

    async def close(self) -> None:
        """Nothing is under way."""


class EmitToList(Emit):
    """emit with the recording producer."""

    def __init__(self, producer: RecordingProducer) -> None:
        super().__init__(SETTINGS, function_registry("emit"))
        self.recording = producer

    async def open(self) -> None:
        """Use the producer of the test."""
        self._producer = self.recording  # type: ignore[assignment]


@pytest.fixture
def producer() -> RecordingProducer:
    """Where records go."""
    return RecordingProducer()


@pytest.fixture
def emit(producer: RecordingProducer) -> Iterator[FunctionApp]:
    """The role emit as an application."""
    function = EmitToList(producer)
    return FunctionApp(function, MetricsPage(function.registry, address="127.0.0.1", port=0))


async def post(app: FunctionApp, body: Any = b"", *headers: tuple[str, str], path: str = "/emit") -> Answer:
    """Post a body with the API key."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await call(app, "POST", path, [KEY, *headers], raw)


def header(record: OutgoingRecord, name: str) -> str | None:
    """Return a header of a record as text."""
    value = dict(record.headers).get(name)
    return None if value is None else value.decode()


@pytest.mark.parametrize("path", ["/", "/emit"])
@pytest.mark.parametrize("headers", [[], [JSON], [("content-type", "text/plain")]])
async def test_nothing_asks_for_one_sample(
    emit: FunctionApp, producer: RecordingProducer, path: str, headers: Headers
) -> None:
    """A request without a body publishes one sample, keyed by its user, as a CloudEvent."""
    answer = await post(emit, b"", *headers, path=path)
    (record,) = producer.records
    assert (answer.status, answer.json) == (202, {"accepted": 1, "ids": [header(record, "ce_id")]})
    assert record.topic == "signal-events"
    assert record.key == (header(record, "ce_subject") or "").encode()
    assert set(json.loads(record.value or b"")) == {"session_id", "data"}
    assert header(record, "ce_correlationid") == answer.headers["x-correlation-id"]


@pytest.mark.parametrize("count", [1, 2, 1000, 1001, 10_000])
async def test_a_count_asks_for_samples(emit: FunctionApp, producer: RecordingProducer, count: int) -> None:
    """So many samples are published; at most 1,000 ids are listed."""
    answer = await post(emit, {"count": count}, JSON)
    assert (answer.status, answer.json["accepted"], len(answer.json["ids"])) == (202, count, min(count, 1000))
    assert len({header(record, "ce_id") for record in producer.records}) == count


@pytest.mark.parametrize("path", ["/", "/emit"])
async def test_every_mode(emit: FunctionApp, producer: RecordingProducer, path: str) -> None:
    """The same event in each mode becomes the same record."""
    data = {"session_id": "sess_12345"}
    when = "2026-01-02T03:04:05Z"
    full = EVENT | {"time": when, "subject": "user_1", "correlationid": "c", "data": data}
    more = (("ce-time", when), ("ce-subject", "user_1"), ("ce-correlationid", "c"), JSON)
    answers = [
        await post(emit, data, *BINARY, *more, path=path),
        await post(emit, full | {"datacontenttype": "application/json"}, STRUCTURED, path=path),
        await post(emit, [full | {"datacontenttype": "application/json"}], BATCH, path=path),
    ]
    assert [answer.status for answer in answers] == [202, 202, 202]
    assert [answer.json for answer in answers] == [{"accepted": 1, "ids": ["1"]}] * 3
    first, second, third = producer.records
    assert first == second == third
    assert first.key == b"user_1"


async def test_an_event_without_a_time_gets_one(emit: FunctionApp, producer: RecordingProducer) -> None:
    """The time of acceptance is stamped once, here; the event's own time is never touched."""
    before = datetime.now(UTC)
    await post(emit, EVENT, STRUCTURED)
    await post(emit, EVENT | {"time": "2020-01-01T00:00:00Z"}, STRUCTURED)
    stamped, own = (header(record, "ce_time") or "" for record in producer.records)
    assert before <= datetime.fromisoformat(stamped) <= datetime.now(UTC)
    assert own == "2020-01-01T00:00:00Z"


async def test_an_empty_batch(emit: FunctionApp, producer: RecordingProducer) -> None:
    """A batch of nothing is accepted, all of it."""
    answer = await post(emit, [], BATCH)
    assert (answer.status, answer.json, producer.records) == (202, {"accepted": 0, "ids": []}, [])


async def test_a_batch_with_some_invalid_events(emit: FunctionApp, producer: RecordingProducer) -> None:
    """The valid events are published, the others are listed, and the answer is 207."""
    answer = await post(emit, [EVENT | {"id": "a"}, EVENT | {"id": ""}, 5, EVENT | {"id": "d"}], BATCH)
    assert (answer.status, answer.json["accepted"], answer.json["ids"]) == (207, 2, ["a", "d"])
    assert [(result["index"], result["status"]) for result in answer.json["results"]] == [(1, 400), (2, 400)]
    assert [header(record, "ce_id") for record in producer.records] == ["a", "d"]


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


def token(scope: str, token_type: TokenType = TokenType.ACCESS, age: timedelta = timedelta(0)) -> tuple[str, str]:
    """Return an Authorization header."""
    tokens = Tokens(SETTINGS.jwt_secret_key.get_secret_value())
    return ("authorization", f"Bearer {tokens.issue('ada', [scope], token_type, now=datetime.now(UTC) - age)}")


async def test_who_may(emit: FunctionApp) -> None:
    """The API key, or a token with the scope, opens emit."""
    for credential in (KEY, token("signals:write"), token("admin")):
        assert (await call(emit, "POST", "/emit", [credential])).status == 202


async def test_who_may_not(emit: FunctionApp, producer: RecordingProducer) -> None:
    """Anyone else is told how to authenticate, or that the scope is missing, and nothing is produced."""
    unknown: list[Headers] = [
        [],
        [("x-api-key", "wrong")],
        [("x-api-key", KEY[1][:-1])],
        [("authorization", KEY[1])],
        [("authorization", "Bearer x.y.z")],
        [token("signals:write", TokenType.REFRESH)],
        [token("signals:write", age=timedelta(hours=1))],
    ]
    for headers in unknown:
        answer = await call(emit, "POST", "/emit", headers)
        assert (answer.status, answer.headers["www-authenticate"][:6]) == (401, "Bearer")
    assert (await call(emit, "POST", "/emit", [token("signals:read")])).status == 403
    assert producer.records == []


UNKNOWN = ProduceError(code="outcome_unknown", detail="x")
NOT_ACCEPTED = ProduceError(code="not_accepted", detail="x")
TOO_LARGE = ProduceError(code="message_too_large", detail="x")


@pytest.mark.parametrize(
    ("errors", "status", "code"),
    [
        ({0: NOT_ACCEPTED, 1: NOT_ACCEPTED}, 503, "not_accepted"),
        ({0: UNKNOWN, 1: UNKNOWN}, 503, "outcome_unknown"),
        ({0: NOT_ACCEPTED, 1: UNKNOWN}, 503, "outcome_unknown"),
        ({1: NOT_ACCEPTED}, 503, "outcome_unknown"),  # the first one is written
    ],
)
async def test_samples_without_an_acknowledgement(
    emit: FunctionApp, producer: RecordingProducer, errors: dict[int, ProduceError], status: int, code: str
) -> None:
    """Only when no sample at all was accepted is the request said to be not accepted."""
    producer.errors = errors
    answer = await post(emit, {"count": 2}, JSON)
    assert (answer.status, answer.json["code"], answer.headers["retry-after"]) == (status, code, "2")


@pytest.mark.parametrize(
    ("errors", "status", "code"),
    [
        ({0: NOT_ACCEPTED, 1: NOT_ACCEPTED}, 503, "not_accepted"),
        ({0: NOT_ACCEPTED, 1: UNKNOWN}, 503, "outcome_unknown"),
        ({0: TOO_LARGE, 1: NOT_ACCEPTED}, 503, "not_accepted"),
        ({0: TOO_LARGE, 1: TOO_LARGE}, 413, "payload_too_large"),
    ],
)
async def test_a_batch_without_any_acknowledgement(
    emit: FunctionApp, producer: RecordingProducer, errors: dict[int, ProduceError], status: int, code: str
) -> None:
    """When nothing is durable the answer is no success, and says the least definite of the reasons."""
    producer.errors = errors
    answer = await post(emit, [EVENT, EVENT | {"id": "2"}], BATCH)
    assert (answer.status, answer.json["code"]) == (status, code)


async def test_a_batch_with_some_acknowledged(emit: FunctionApp, producer: RecordingProducer) -> None:
    """What was acknowledged is counted, what was not is listed with its own reason."""
    producer.errors = {1: UNKNOWN, 2: TOO_LARGE}
    answer = await post(emit, [EVENT | {"id": name} for name in "abcd"], BATCH)
    assert (answer.status, answer.json["ids"]) == (207, ["a", "d"])
    assert [(result["id"], result["status"], result["code"]) for result in answer.json["results"]] == [
        ("b", 503, "outcome_unknown"),
        ("c", 413, "payload_too_large"),
    ]
    page = (await call(emit, "GET", "/metrics")).body.decode()
    assert "signals_produced_total 2.0" in page
    assert "produce_errors_total 2.0" in page
    assert "produce_latency_seconds_count 1.0" in page
