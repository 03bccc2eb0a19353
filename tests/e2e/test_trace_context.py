"""A request can be followed: its trace context and correlation id are in all that comes of it."""

import json
import re
import uuid
from typing import Any

import aiohttp
import psycopg
import pytest

from tests.checker.kafka import read_topic
from tests.checker.model import RawRecord
from tests.support.pipeline import Pipeline
from tests.support.replay import ask_replay, order_replay, replay_token
from tests.support.sender import BATCH_HEADERS, event
from tests.support.waiting import wait_for

_SECONDS = 30


class Request:
    """A request's ids, which no other request has."""

    def __init__(self) -> None:
        self.correlation_id = f"order-{uuid.uuid4()}"
        self.traceparent = f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-01"

    @property
    def ids(self) -> dict[str, str]:
        """The ids, under the names that they have everywhere."""
        return {"correlationid": self.correlation_id, "traceparent": self.traceparent}

    async def post(self, pipeline: Pipeline, *carried: dict[str, Any]) -> None:
        """Send events as a batch with the ids in HTTP headers."""
        headers = {**BATCH_HEADERS, "X-Correlation-Id": self.correlation_id, "traceparent": self.traceparent}
        key = {"X-API-Key": pipeline.settings.emit_api_key.get_secret_value()}
        url = f"{pipeline.settings.function_url('emit')}/emit"
        async with (
            aiohttp.ClientSession(headers={**headers, **key}) as session,
            session.post(url, data=json.dumps(carried)) as answer,
        ):
            assert answer.status == 202
            assert answer.headers["X-Correlation-Id"] == self.correlation_id


@pytest.fixture
def request_() -> Request:
    """A request that was not sent yet."""
    return Request()


async def test_row_and_anomaly_event_name_the_request(pipeline: Pipeline, request_: Request) -> None:
    """The row has both ids among its extensions, and the anomaly event has them with the signal it came from."""
    sent = event("traced", data={"data": "sample_data_99"})
    await request_.post(pipeline, sent)
    row = wait_for(lambda: _extensions(pipeline, sent["id"]), seconds=_SECONDS, what="the row")
    assert row == request_.ids
    (found,) = wait_for(lambda: _anomaly_events(pipeline, sent["id"]), seconds=_SECONDS, what="the anomaly event")
    original = found["context"]["original_signal"]
    assert {name: original[name] for name in request_.ids} == request_.ids


async def test_dead_letter_and_its_replay_name_the_request(pipeline: Pipeline, request_: Request) -> None:
    """A dead letter has both ids in the original headers and the trace in its own; so has what replay publishes."""
    conflict = await _conflict(pipeline, request_)
    (letter,) = wait_for(lambda: _records(pipeline, "signal-events-dlq", conflict), seconds=_SECONDS, what="its letter")
    headers = dict(letter.headers)
    assert {name: _text(headers[f"ce_{name}"]) for name in request_.ids} == request_.ids
    assert _text(headers["ce_dlqtraceparent"]) == request_.traceparent
    dlq_id = _text(headers["ce_dlqid"])
    url = f"/dead-letters/{dlq_id}"
    token = replay_token(pipeline)
    wait_for(lambda: _is_recorded(pipeline, dlq_id), seconds=_SECONDS, what="the recording")
    assert ask_replay(pipeline, url, token=token)["traceparent"] == request_.traceparent
    order_replay(pipeline, filter={"ids": dlq_id})
    ask_replay(pipeline, "/tick", body={})  # sooner than the schedule
    _, again = wait_for(
        lambda: len(found := _records(pipeline, "signal-events", conflict)) > 1 and found,
        seconds=_SECONDS,
        what="the replayed record",
    )
    replayed = dict(again.headers)
    assert {name: _text(replayed[f"ce_{name}"]) for name in request_.ids} == request_.ids
    assert _text(replayed["ce_dlqorigin"]) == dlq_id


async def test_the_lines_of_function_and_trigger_name_the_request(pipeline: Pipeline, request_: Request) -> None:
    """Both say whose event was refused, and name the same delivery."""
    for _ in range(_SECONDS):  # of equal failures only one in five seconds is logged
        conflict = await _conflict(pipeline, request_)
        wait_for(lambda id_=conflict: _records(pipeline, "signal-events-dlq", id_), seconds=_SECONDS, what="its letter")
        refused, failed = (_lines(pipeline, name, request_) for name in ("event_refused", "event_failed"))
        if refused.keys() & failed.keys():
            break
    delivery = (refused.keys() & failed.keys()).pop()
    assert re.fullmatch("[0-9a-f]{32}", delivery)
    for line in (refused[delivery], failed[delivery]):
        assert (line["correlation_id"], line["traceparent"]) == (request_.correlation_id, request_.traceparent)
        assert line["code"] == "identity_conflict"


async def _conflict(pipeline: Pipeline, request: Request) -> str:
    """Send an event that process-signal rejects: its id belongs to another source's row; return its id."""
    first = event("traced-first")
    await Request().post(pipeline, first)
    wait_for(lambda: _extensions(pipeline, first["id"]), seconds=_SECONDS, what="the row")
    await request.post(pipeline, {**first, "source": "traced-second"})
    return str(first["id"])


def _extensions(pipeline: Pipeline, signal_id: str) -> Any:
    with psycopg.connect(pipeline.database_url) as connection:
        row = connection.execute("SELECT extensions FROM signals WHERE id = %s", [signal_id]).fetchone()
    return row and row[0]


def _is_recorded(pipeline: Pipeline, dlq_id: str) -> bool:
    with psycopg.connect(pipeline.database_url) as connection:
        return connection.execute("SELECT 1 FROM dead_letters WHERE dlq_id = %s", [dlq_id]).fetchone() is not None


def _anomaly_events(pipeline: Pipeline, signal_id: str) -> list[dict[str, Any]]:
    events = (json.loads(record.value or b"{}") for record in read_topic(pipeline.broker, "anomaly-events"))
    return [found for found in events if found.get("signal_event_id") == signal_id]


def _records(pipeline: Pipeline, topic: str, event_id: str) -> list[RawRecord]:
    """Return the records that carry the second source's event of an id."""
    wanted = {("ce_id", event_id.encode()), ("ce_source", b"traced-second")}
    return [record for record in read_topic(pipeline.broker, topic) if wanted <= set(record.headers)]


def _lines(pipeline: Pipeline, name: str, request: Request) -> dict[str, dict[str, Any]]:
    """Return the lines of function and trigger about a request's events, by the delivery that they name."""
    texts = (path.read_text().splitlines() for path in (pipeline.state / "logs").glob("process-signal*"))
    lines = [json.loads(text) for each in texts for text in each if name in text and request.correlation_id in text]
    return {line["delivery_id"]: line for line in lines}


def _text(value: bytes | None) -> str:
    return (value or b"").decode()
