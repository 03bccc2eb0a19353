"""emit, form by form: what is accepted, by whom, and what is said when Kafka did not acknowledge."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from signal_pipeline.broker.producer import ProduceError
from signal_pipeline.security.keys import KeyRing
from signal_pipeline.security.tokens import Tokens, TokenType
from signal_pipeline.serving.app import FunctionApp
from tests.contract.emit_app import (
    BATCH,
    BINARY,
    EVENT,
    JSON,
    KEY,
    SETTINGS,
    STRUCTURED,
    Headers,
    RecordingProducer,
    header,
    post,
)
from tests.support.asgi import call


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


@pytest.mark.parametrize(("body", "headers"), [(b"", ()), (b"", BINARY), (EVENT, (STRUCTURED,)), ([EVENT], (BATCH,))])
async def test_the_callers_trace_is_carried_on(
    emit: FunctionApp, producer: RecordingProducer, body: object, headers: Headers
) -> None:
    """The traceparent of the request goes with the event, unless the event has its own; garbage goes nowhere."""
    trace, own = (f"00-{'ab' * 16}-{byte * 8}-01" for byte in ("cd", "ef"))
    await post(emit, body, *headers, ("traceparent", trace))
    await post(emit, body, *headers, ("traceparent", "garbage"))
    await post(emit, EVENT | {"traceparent": own}, STRUCTURED, ("traceparent", trace))
    assert [header(record, "ce_traceparent") for record in producer.records] == [trace, None, own]


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


def token(scope: str, token_type: TokenType = TokenType.ACCESS, age: timedelta = timedelta(0)) -> tuple[str, str]:
    """Return an Authorization header."""
    tokens = Tokens(KeyRing.of(SETTINGS))
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
