"""Rows 23 and 26 to 37: what an event may say, and what becomes of it in PostgreSQL and on the topic."""

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from signal_pipeline.observability.logs import configure_logs
from signal_pipeline.serving.app import FunctionApp
from tests.abuse.conftest import STRUCTURED, Stage
from tests.contract.emit_app import RecordingProducer, header, post
from tests.support.asgi import call

EVENT = {"specversion": "1.0", "id": "1", "source": "abuse", "type": "click", "time": "2026-01-02T03:04:05Z"}
NASTY = ["'; DROP TABLE signals; --", '{"$gt":""}', "__proto__", "${jndi:ldap://x}", "<script>", "%00", "\\u0000", "😀"]


async def test_row_23_the_largest_signals(stage: Stage) -> None:
    """Data of exactly 64 KiB, and one with a string of 60 KiB, are stored whole."""
    frame = len('{"data":""}')
    texts = ["x" * (64 * 1024 - frame), "é" * (30 * 1024)]
    answer = await stage.batch(*(EVENT | {"id": str(n), "data": {"data": text}} for n, text in enumerate(texts)))
    assert answer.status == 204
    assert sorted(stage.rows("payload ->> 'data'")) == sorted((text,) for text in texts)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"id": None}, "id"),
        ({"source": None}, "source"),
        ({"type": None}, "type"),
        ({"specversion": None}, "specversion"),
        ({"specversion": "0.3"}, "specversion"),
        ({"specversion": 1.0}, "specversion"),
        ({"id": ""}, "id"),
        ({"source": ""}, "source"),
        ({"time": "yesterday"}, "time"),
        ({"my-ext": "x"}, "extension"),
        ({"MyExt": "x"}, "extension"),
        ({"my_ext": "x"}, "extension"),
        ({"ext": {"a": 1}}, "ext"),
        ({"ext": 1.5}, "ext"),
    ],
)
async def test_row_26_envelopes(stage: Stage, changes: dict[str, Any], named: str) -> None:
    """An envelope that breaks CloudEvents 1.0 is a 400 that names the attribute; its neighbours are stored."""
    bad = {name: value for name, value in (EVENT | changes).items() if value is not None}
    answer = await stage.event(bad)
    assert answer.status == 400
    assert named in answer.json["detail"]
    answer = await stage.batch(EVENT | {"id": "a"}, bad, EVENT | {"id": "b"})
    assert (answer.status, [each["index"] for each in answer.json["results"]]) == (207, [1])
    assert len(stage.rows()) == 2


async def test_row_27_the_same_event_in_each_mode(stage: Stage) -> None:
    """In binary, structured and batch mode an event is one and the same row; a percent-encoded id is decoded."""
    event = EVENT | {"id": "é 1", "subject": "user_1", "datacontenttype": "application/json", "data": {"a": 1}}
    named = {name: value for name, value in event.items() if name not in {"data", "datacontenttype"}} | {
        "id": "%C3%A9%201"
    }
    binary = [(f"ce-{name}", str(value)) for name, value in named.items()]
    assert (await stage.send(("content-type", "application/json"), *binary, body={"a": 1})).status == 204
    assert (await stage.event(event)).status == 204
    assert (await stage.batch(event, event)).status == 204
    assert stage.rows("source, user_id, payload") == [("abuse", "user_1", {"a": 1})]


async def test_row_27_headers_beside_an_envelope(stage: Stage) -> None:
    """Of a request in two modes the content type decides: headers beside a structured event change nothing."""
    mixed = [("ce-id", "2"), ("ce-source", "forged"), ("ce-type", "forged"), ("ce-specversion", "1.0")]
    assert (await stage.send(STRUCTURED, *mixed, body=EVENT)).status == 204
    assert stage.rows("source, type") == [("abuse", "click")]


async def test_row_27_a_batch_that_is_too_long(stage: Stage) -> None:
    """10,001 events are a 413, and none of them is stored."""
    assert (await stage.batch(*(EVENT | {"id": str(n)} for n in range(10_001)))).status == 413
    assert stage.rows() == []


@pytest.mark.parametrize(
    "bad",
    [
        b'"data":"\\u0000"',
        b'"data":{"\\u0000":1}',
        b'"data":"\\ud800"',
        b'"subject":"\\u0000"',
        b'"data":{"\\udfff":1}',
    ],
)
async def test_row_28_text_that_cannot_be_stored(stage: Stage, bad: bytes) -> None:
    """U+0000 and lone surrogates are a 400 wherever they stand, and cost the neighbours nothing."""
    one = json.dumps(EVENT).encode()
    raw = b"[%b,%b,%b]" % (one.replace(b'"1"', b'"a"'), one[:-1] + b"," + bad + b"}", one.replace(b'"1"', b'"b"'))
    answer = await stage.send(("content-type", "application/cloudevents-batch+json"), body=raw)
    assert [(each["index"], each["status"]) for each in answer.json["results"]] == [(1, 400)]
    assert len(stage.rows()) == 2


async def test_row_28_invalid_utf_8(stage: Stage) -> None:
    """Bytes that are no UTF-8 make the whole request unreadable: 400, and nothing is stored."""
    assert (await stage.send(STRUCTURED, body=json.dumps(EVENT).encode().replace(b"click", b"\xff"))).status == 400
    assert stage.rows() == []


async def test_row_28_an_escaped_escape(stage: Stage) -> None:
    """The six characters of an escape, written as text, are text."""
    assert (await stage.event(EVENT | {"data": {"data": "\\u0000"}})).status == 204
    assert stage.rows("payload ->> 'data'") == [("\\u0000",)]


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "u" * 3000},
        {"userid": "u" * 3000},
        {"data": {"session_id": "s" * 3000}},
        {"data": {"session_id": ["s" * 3000]}},
        {"type": "t" * 10_000},
        {"id": "i" * 3000},
        {"source": "s" * 3000},
    ],
)
async def test_row_29_long_texts(stage: Stage, emit: FunctionApp, producer: RecordingProducer, changes: Any) -> None:
    """What no index could hold is a 400 or 422 in both places, never a 500: nothing is stored, nothing published."""
    assert (await stage.event(EVENT | changes)).status in {400, 422}
    assert (await post(emit, EVENT | changes, STRUCTURED)).status in {400, 422}
    assert (stage.rows(), producer.records) == ([], [])


@pytest.mark.parametrize(
    "time",
    ["infinity", "-infinity", "300000-01-01T00:00:00Z", "-4713-01-01T00:00:00Z", "0000-01-01T00:00:00Z",
     "2026-01-02T03:04:05", "2016-12-31T23:59:60Z", "2026-02-30T00:00:00Z", "٢026-01-01T00:00:00Z", "now", 5],
)  # fmt: skip
async def test_row_30_times_that_are_none(stage: Stage, time: Any) -> None:
    """A time that RFC 3339 or the calendar does not have is a 400 that names it."""
    answer = await stage.event(EVENT | {"time": time})
    assert (answer.status, answer.json["detail"][:5]) == (400, "time:")
    assert stage.rows() == []


async def test_row_31_repetition(stage: Stage) -> None:
    """The same event again, alone and in batches, is a success and one row that does not change."""
    await stage.event(EVENT)
    before = stage.rows("*")
    assert (await stage.event(EVENT)).status == 204
    assert (await stage.batch(*[EVENT] * 50)).status == 204
    assert stage.rows("*") == before


async def test_row_32_another_body(stage: Stage) -> None:
    """Of two bodies under one identity the later time wins; an equal or earlier one is a counted success that loses."""
    noon = datetime(2026, 1, 2, 12, tzinfo=UTC)
    for minutes, text in ((0, "first"), (0, "equal"), (-1, "older"), (1, "newer"), (0, "late")):
        time = (noon + timedelta(minutes=minutes)).isoformat()
        assert (await stage.event(EVENT | {"time": time, "data": {"data": text}})).status == 204
    assert stage.rows("payload ->> 'data'") == [("newer",)]


async def test_row_33_an_id_of_another_source(stage: Stage) -> None:
    """An id counts within its source; a UUID counts everywhere: there the first stays and the newcomer is rejected."""
    await stage.batch(EVENT, EVENT | {"source": "other"})
    assert len(stage.rows()) == 2
    event_id = str(uuid4())
    assert (await stage.event(EVENT | {"id": event_id})).status == 204
    answer = await stage.event(EVENT | {"id": event_id, "source": "other", "time": "2027-01-01T00:00:00Z"})
    assert (answer.status, answer.json["code"]) == (422, "identity_conflict")
    assert [source for found, source in stage.rows("id::text, source") if found == event_id] == ["abuse"]


@pytest.mark.parametrize("text", NASTY)
async def test_row_34_texts_that_look_dangerous(
    stage: Stage, emit: FunctionApp, producer: RecordingProducer, text: str
) -> None:
    """What would be code elsewhere is text here, in every place: published and stored verbatim."""
    event = EVENT | {
        "id": text,
        "source": text,
        "type": text,
        "subject": text,
        "ext": text,
        "data": {"session_id": text, text: text},
    }
    assert (await post(emit, event, STRUCTURED)).status == 202
    assert header(producer.records[0], "ce_id") == text
    assert (await stage.event(event)).status == 204
    found = stage.rows("source, type, user_id, payload, extensions ->> 'ext'")
    assert found == [(text, text, text, {"session_id": text, text: text}, text)]


async def test_row_35_log_lines_cannot_be_forged(emit: FunctionApp) -> None:
    """Whatever stands in ids and headers, each log line is one JSON object without a character that a screen obeys."""
    stream = io.StringIO()
    configure_logs(role="emit", level="debug", stream=stream)
    forged = '\r\n{"event":"forged"}\x1b[2J\x9b31m\u2028${jndi:ldap://x}'
    await post(emit, [EVENT | {"id": forged}, 5], ("content-type", "application/cloudevents-batch+json"))
    await post(emit, EVENT | {"source": forged}, STRUCTURED, ("user-agent", "\x1b[2J"), ("x-correlation-id", "\x1b"))
    lines = stream.getvalue().split("\n")
    assert lines.pop() == ""
    assert any("jndi" in line for line in lines)
    assert all(json.loads(line)["event"] != "forged" for line in lines)
    assert not [line for line in lines if set(line) & {"\r", "\x1b", "\x9b", "\u2028"}]


@pytest.mark.parametrize("given", ["garbage", "00-0-0-00", "", "x" * 8000, f"00-{'0' * 32}-{'1' * 16}-01"])
async def test_row_36_trace_context_that_is_none(stage: Stage, given: str) -> None:
    """A traceparent that is none and a tracestate of 8 KB are ignored: the event is stored."""
    answer = await stage.send(STRUCTURED, ("traceparent", given), ("tracestate", "x" * 8000), body=EVENT)
    assert answer.status == 204
    assert len(stage.rows()) == 1


async def test_row_37_fields_that_are_ours(stage: Stage) -> None:
    """Names of our own columns in the data are data; as extensions they stay extensions: no column takes them."""
    ours = {
        "ingest_ts": "1999-01-01T00:00:00Z",
        "processed_at": "1999-01-01T00:00:00Z",
        "severity": "none",
        "role": "admin",
    }
    names = {"ingestts": "1999-01-01T00:00:00Z", "severity": "none", "role": "admin"}
    assert (await stage.event(EVENT | names | {"data": ours})).status == 204
    assert stage.rows("payload, now() - ingest_ts < interval '1 minute'") == [(ours, True)]


async def test_row_46_series_are_bounded(stage: Stage) -> None:
    """After one of each, further types, users, paths, methods and failures make no time series."""

    async def ask(number: int) -> None:
        await stage.event(EVENT | {"id": str(number), "type": f"type{number}", "subject": f"user{number}"})
        await stage.event(EVENT | {f"bad_{number}": "x"})
        await stage.send(("content-type", f"text/x{number}"), body=b"x")
        for method in ("GET", f"X{number}"):
            await call_path(stage, method, f"/path{number}")

    await ask(0)
    await series(stage)  # the page counts itself
    before = await series(stage)
    for number in range(1, 50):
        await ask(number)
    assert await series(stage) - before == set()


async def call_path(stage: Stage, method: str, path: str) -> bytes:
    """Return what an address answers."""
    return (await call(stage.app, method, path)).body


async def series(stage: Stage) -> set[str]:
    """Return the names and labels on the metrics page."""
    page = (await call_path(stage, "GET", "/metrics")).decode()
    return {line.rpartition(" ")[0] for line in page.splitlines() if not line.startswith("#")}
