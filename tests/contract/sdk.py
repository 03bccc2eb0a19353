"""Speaks CloudEvents through the SDK of the environment that runs it: JSON commands in, JSON answers out.

    python sdk.py < commands > answers

A command is {"do": "write" or "read", "mode": "binary", "structured" or "kafka", …}. An event has text attributes, and
as data {"json": value} or {"base64": text}. The program imports nothing of this repository.
"""

import base64
import json
import sys
from datetime import datetime
from importlib.metadata import version
from typing import Any
from urllib.parse import unquote

FIRST = version("cloudevents").startswith("1.")


def data_of(event: dict[str, Any]) -> Any:
    """Return an event's data as the SDK takes it."""
    data = event["data"]
    return data["json"] if "json" in data else base64.b64decode(data["base64"])


def message(headers: dict[str, Any], body: Any) -> dict[str, Any]:
    """Return a message as JSON can carry it."""
    texts = {name: value.decode() if isinstance(value, bytes) else str(value) for name, value in headers.items()}
    raw = body.encode() if isinstance(body, str) else body or b""
    return {"headers": texts, "body": base64.b64encode(raw).decode()}


def plain(attributes: dict[str, Any], data: Any) -> dict[str, Any]:
    """Return what the SDK read as JSON can carry it; a time in the shape that the SDK gives it."""
    texts = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in attributes.items()}
    if isinstance(data, bytes):
        return {"attributes": texts, "data": {"base64": base64.b64encode(data).decode()}}
    return {"attributes": texts, "data": {"json": data}}


def first_write(mode: str, event: dict[str, Any]) -> dict[str, Any]:
    """Write an event with SDK 1."""
    from cloudevents import kafka  # noqa: PLC0415 - one of two versions is installed
    from cloudevents.http import CloudEvent, to_binary, to_structured  # noqa: PLC0415

    made = CloudEvent(event["attributes"], data_of(event))
    if mode == "kafka":
        # By itself SDK 1 takes bytes for an object to be written as JSON.
        sent = kafka.to_binary(made, data_marshaller=lambda data: data if isinstance(data, bytes) else json.dumps(data))
        return message(sent.headers, sent.value)
    return message(*(to_binary if mode == "binary" else to_structured)(made))


def first_read(mode: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    """Read an event with SDK 1."""
    from cloudevents import kafka  # noqa: PLC0415
    from cloudevents.http import from_http  # noqa: PLC0415

    if mode == "kafka":
        sent = kafka.KafkaMessage({name: value.encode() for name, value in headers.items()}, None, body)
        found = kafka.from_binary(sent, data_unmarshaller=lambda raw: raw)
    else:
        binary = mode == "binary"
        # SDK 1 leaves the escapes of the HTTP binding to its caller.
        sent = {name: unquote(value) for name, value in headers.items()} if binary else headers
        found = from_http(sent, body, **({"data_unmarshaller": lambda raw: raw} if binary else {}))
    return plain(dict(found.get_attributes()), found.get_data())


def second_write(mode: str, event: dict[str, Any]) -> dict[str, Any]:
    """Write an event with SDK 2."""
    from cloudevents.core.bindings import http, kafka  # noqa: PLC0415
    from cloudevents.core.v1.event import CloudEvent  # noqa: PLC0415

    attributes = dict(event["attributes"])
    if "time" in attributes:
        attributes["time"] = datetime.fromisoformat(attributes["time"])
    data = data_of(event)
    # Of a list or a number SDK 2 would write Python's text: it takes objects, text and bytes.
    made = CloudEvent(attributes, data if isinstance(data, dict | bytes) else json.dumps(data).encode())
    if mode == "kafka":
        written = kafka.to_binary_event(made)
        return message(written.headers, written.value)
    sent = (http.to_binary_event if mode == "binary" else http.to_structured_event)(made)
    return message(sent.headers, sent.body)


def second_read(mode: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    """Read an event with SDK 2."""
    from cloudevents.core.bindings import http, kafka  # noqa: PLC0415

    if mode == "kafka":
        sent = kafka.KafkaMessage(headers={k: v.encode() for k, v in headers.items()}, key=None, value=body)
        found = kafka.from_binary_event(sent)
    else:
        found = http.from_http_event(http.HTTPMessage(headers=headers, body=body))
    return plain(dict(found.get_attributes()), found.get_data())


def answer(command: dict[str, Any]) -> dict[str, Any]:
    """Do what one command says."""
    if command["do"] == "write":
        return (first_write if FIRST else second_write)(command["mode"], command["event"])
    read = first_read if FIRST else second_read
    return read(command["mode"], command["headers"], base64.b64decode(command["body"]))


if __name__ == "__main__":
    json.dump([answer(command) for command in json.load(sys.stdin)], sys.stdout)
