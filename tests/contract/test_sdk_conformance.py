"""The CloudEvents SDK in both of its lines as oracle: it reads what we write, and we read what it writes."""

import base64
import json
import subprocess
import sys
import venv
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from signal_pipeline.events.envelope import CloudEvent, event_from_attributes
from signal_pipeline.events.http import BATCH_CONTENT_TYPE, Request, decode_request
from signal_pipeline.events.kafka import KafkaRecord, decode_record, encode_record, instant_text
from signal_pipeline.events.kafka_wire import batch_message, single_message

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("sdk.py")
LOCK = ROOT / "requirements" / "cloudevents2.txt"
ENVIRONMENT = ROOT / ".local" / "test-envs" / "cloudevents-2"
Ask = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]

REQUIRED = {"specversion": "1.0", "id": "1", "source": "web", "type": "login"}
TIME = "2026-01-02T03:04:05.678901Z"
FULL = REQUIRED | {
    "time": TIME,
    "subject": "user_1",
    "dataschema": "https://example.org/schema",
    "correlationid": "0af7651916cd43dd8448eb211c80319c",
    "partitionkey": "user_1",
}
EVENTS = {
    "object": {"attributes": FULL | {"datacontenttype": "application/json"}, "data": {"json": {"a": [1, 2.5, None]}}},
    "list": {
        "attributes": REQUIRED | {"time": TIME, "datacontenttype": "text/json"},
        "data": {"json": [{"é": "€"}, True]},
    },
    "number": {"attributes": REQUIRED | {"time": TIME, "datacontenttype": "application/json"}, "data": {"json": 42}},
    "spaces": {
        "attributes": REQUIRED | {"time": TIME, "subject": "Ada Lovelace", "datacontenttype": "application/json"},
        "data": {"json": {"a": " "}},
    },
    "bytes": {
        "attributes": REQUIRED | {"time": TIME, "datacontenttype": "application/octet-stream"},
        "data": {"base64": base64.b64encode(bytes(range(256))).decode()},
    },
}


def python_of_sdk_2() -> Path:
    """Return the interpreter of an environment with SDK 2, which cannot share ours; built once, from the lock."""
    python, marker = ENVIRONMENT / "bin" / "python", ENVIRONMENT / "installed.txt"
    if not marker.is_file() or marker.read_text() != LOCK.read_text():
        venv.create(ENVIRONMENT, with_pip=True, clear=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(LOCK)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            pytest.fail(f"the environment of CloudEvents SDK 2 cannot be installed: {done.stderr[-1000:]}")
        marker.write_text(LOCK.read_text())
    return python


@pytest.fixture(scope="module", params=["1", "2"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Ask the SDK of one line, in a process of its own."""
    python = Path(sys.executable) if request.param == "1" else python_of_sdk_2()

    def run(commands: list[dict[str, Any]]) -> list[dict[str, Any]]:
        done = subprocess.run(
            [str(python), str(PROGRAM)], input=json.dumps(commands), check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        answers: list[dict[str, Any]] = json.loads(done.stdout)
        return answers

    return run


def written(ask: Ask, mode: str) -> dict[str, tuple[dict[str, str], bytes]]:
    """Let the SDK write every event; return headers and body by the event's name."""
    answers = ask([{"do": "write", "mode": mode, "event": event} for event in EVENTS.values()])
    return {
        name: (answer["headers"], base64.b64decode(answer["body"]))
        for name, answer in zip(EVENTS, answers, strict=True)
    }


def ours(name: str) -> CloudEvent:
    """Return an event as we would make it."""
    event: Any = EVENTS[name]
    data = event["data"]
    raw = base64.b64decode(data["base64"]) if "base64" in data else json.dumps(data["json"]).encode()
    return event_from_attributes(event["attributes"], raw)


def without_content_type(event: CloudEvent) -> dict[str, Any]:
    """Return the parts of an event; an SDK may say application/json where an event said nothing."""
    parts = {name: getattr(event, name) for name in CloudEvent.__dataclass_fields__}
    return parts | {"datacontenttype": event.datacontenttype or "application/json"}


def only_event(request: Request) -> CloudEvent:
    """Return the one event of a request."""
    (event,) = request.events
    assert isinstance(event, CloudEvent), event
    return event


@pytest.mark.parametrize("mode", ["binary", "structured"])
def test_we_read_what_the_sdk_sends(ask: Ask, mode: str) -> None:
    """Every event that the SDK writes for HTTP is read with the same attributes and data."""
    for name, (headers, body) in written(ask, mode).items():
        found = only_event(decode_request([(key.lower(), value) for key, value in headers.items()], body))
        assert without_content_type(found) == without_content_type(ours(name)), name


def test_we_read_a_batch_of_what_the_sdk_writes(ask: Ask) -> None:
    """The SDK's structured events side by side are a batch."""
    body = b"[" + b",".join(body for _, body in written(ask, "structured").values()) + b"]"
    events = decode_request([("content-type", BATCH_CONTENT_TYPE)], body).events
    for name, found in zip(EVENTS, events, strict=True):
        assert isinstance(found, CloudEvent), found
        assert without_content_type(found) == without_content_type(ours(name)), name


def test_we_read_what_the_sdk_produces(ask: Ask) -> None:
    """Every event that the SDK writes for Kafka in binary mode is read with the same attributes and data."""
    for name, (headers, body) in written(ask, "kafka").items():
        found = decode_record(record(tuple((key, value.encode()) for key, value in headers.items()), body), source="/s")
        # In Kafka the partition key travels as the record's key, which is no attribute.
        expected = without_content_type(ours(name))
        expected["extensions"] = {key: value for key, value in expected["extensions"].items() if key != "partitionkey"}
        parts = without_content_type(found)
        parts["extensions"] = {key: value for key, value in parts["extensions"].items() if key != "partitionkey"}
        assert parts == expected, name


def record(headers: tuple[tuple[str, bytes | None], ...], value: bytes | None) -> KafkaRecord:
    """Return a record as it would be read."""
    return KafkaRecord(topic="t", partition=3, offset=7, timestamp_ms=0, key=None, value=value, headers=headers)


def record_of(name: str) -> KafkaRecord:
    """Return the record that we write for an event."""
    out = encode_record(ours(name), topic="t")
    return record(out.headers, out.value)


def read_by(ask: Ask, messages: list[tuple[str, dict[str, str], bytes]]) -> list[dict[str, Any]]:
    """Let the SDK read messages."""
    return ask(
        [
            {"do": "read", "mode": mode, "headers": headers, "body": base64.b64encode(body).decode()}
            for mode, headers, body in messages
        ]
    )


def assert_same(found: dict[str, Any], name: str, added: tuple[str, ...] = ()) -> None:
    """Check that the SDK read the event that we wrote, attribute by attribute, and its data."""
    event = ours(name)
    attributes = {key: value for key, value in found["attributes"].items() if value is not None and key not in added}
    instant = datetime.fromisoformat(attributes.pop("time")).astimezone(UTC)
    assert instant_text(instant) == TIME
    expected = {**EVENTS[name]["attributes"], "datacontenttype": event.datacontenttype or "application/json"}
    del expected["time"]
    assert {"datacontenttype": "application/json"} | attributes == expected, name
    data = found["data"]
    if event.data_bytes is not None:
        assert base64.b64decode(data["base64"]) == event.data_bytes
    else:
        value = json.loads(base64.b64decode(data["base64"])) if "base64" in data else data["json"]
        assert value == event.data


def test_the_sdk_reads_what_we_produce(ask: Ask) -> None:
    """Every record that we write is read by the SDK with the same attributes and data."""
    records = [record_of(name) for name in EVENTS]
    messages = [("kafka", {key: (value or b"").decode() for key, value in r.headers}, r.value or b"") for r in records]
    for name, found in zip(EVENTS, read_by(ask, messages), strict=True):
        assert_same(found, name)


def test_the_sdk_reads_what_a_trigger_posts(ask: Ask) -> None:
    """The trigger's binary request and each element of its batch are read by the SDK, with the record's place."""
    singles = [single_message(record_of(name), source="/s", wrap_record=False) for name in EVENTS]
    elements = json.loads(batch_message([record_of(name) for name in EVENTS], source="/s", wrap_record=False).body)
    structured = {"content-type": "application/cloudevents+json"}
    binary = [("binary", message.headers, message.body) for message in singles]
    answers = read_by(ask, [*binary, *(("structured", structured, json.dumps(each).encode()) for each in elements)])
    for name, found in zip([*EVENTS, *EVENTS], answers, strict=True):
        assert_same(found, name, added=("knativekafkapartition", "knativekafkaoffset"))
    for found in answers[: len(EVENTS)]:
        assert found["attributes"]["knativekafkapartition"] == "3"
        assert found["attributes"]["knativekafkaoffset"] == "7"
