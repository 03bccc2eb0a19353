"""What a Knative KafkaSource makes of a record, and a KafkaSink of an event. Own code, with nothing of the product.

record with sound `ce_*` headers, or a sound structured value    that event
any other                                                        an event around it: type dev.knative.kafka.event
"""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from confluent_kafka import Message

__all__ = ["SourceEvent", "event_of", "given_up"]

_SPEC_NAMES = re.compile("[a-z0-9]+")
_ERROR_BYTES = 1024
_PRINTABLE = "!#$&'()*+,/:;<=>?@[\\]^`{|}~"  # what the HTTP binding does not escape


@dataclass(frozen=True, kw_only=True)
class SourceEvent:
    """An event on its way.

    Attributes:
        attributes: Context attributes and extensions; `datacontenttype` among them.
        data: Data as it travels.
    """

    attributes: Mapping[str, str]
    data: bytes | None

    def http_headers(self) -> dict[str, str]:
        """Return the headers of a binary-mode request."""
        headers = {f"ce-{name}": quote(value, safe=_PRINTABLE) for name, value in self._named().items()}
        content_type = self.attributes.get("datacontenttype")
        return headers | ({"content-type": content_type} if content_type else {})

    def kafka_headers(self) -> list[tuple[str, bytes]]:
        """Return the headers of a binary-mode record."""
        headers = [(f"ce_{name}", value.encode()) for name, value in self._named().items()]
        content_type = self.attributes.get("datacontenttype")
        return [*headers, *([("content-type", content_type.encode())] if content_type else [])]

    def _named(self) -> dict[str, str]:
        return {name: value for name, value in self.attributes.items() if name != "datacontenttype"}


def event_of(message: Message, source: str) -> SourceEvent:
    """Return the event that a KafkaSource sends for a record.

    Args:
        message: The record.
        source: Address of the source, for a record that is no event.
    """
    event = _carried(message) or _wrapped(message, source)
    place = {"knativekafkapartition": str(message.partition()), "knativekafkaoffset": str(message.offset())}
    return replace(event, attributes={**event.attributes, **place})


def given_up(event: SourceEvent, destination: str, answer: tuple[int, Mapping[str, str], bytes] | None) -> SourceEvent:
    """Return the event as it goes to the dead-letter sink.

    Args:
        event: The event.
        destination: Where it could not be delivered.
        answer: Status, headers and body of the last answer; None when there was none.
    """
    added = {"knativeerrordest": destination}
    if answer is not None:
        status, headers, body = answer
        added["knativeerrorcode"] = str(status)
        added |= {name.lower()[4:]: value for name, value in headers.items() if name.lower().startswith("kne-")}
        if body:
            added["knativeerrordata"] = base64.b64encode(body[:_ERROR_BYTES]).decode()
    return replace(event, attributes={**event.attributes, **added})


def _headers(message: Message) -> list[tuple[str, bytes | None]]:
    return list(message.headers() or ())  # type: ignore[arg-type]  # the library's type is wider


def _carried(message: Message) -> SourceEvent | None:
    """Return the event that a record carries; None when it carries no sound one."""
    attributes: dict[str, str] = {}
    for name, value in _headers(message):
        if name == "content-type" and value is not None:
            attributes["datacontenttype"] = value.decode(errors="replace")
        elif name.startswith("ce_") and value is not None:
            attributes[name[3:]] = value.decode(errors="replace")
    if attributes.get("datacontenttype", "").startswith("application/cloudevents+json"):
        return _structured(message.value())
    return SourceEvent(attributes=attributes, data=message.value()) if _is_sound(attributes) else None


def _structured(value: bytes | None) -> SourceEvent | None:
    try:
        event: Any = json.loads(value or b"")
    except ValueError:
        return None
    if not isinstance(event, dict):
        return None
    data = json.dumps(event.pop("data")).encode() if "data" in event else None
    attributes = {"datacontenttype": "application/json", **{name: str(each) for name, each in event.items()}}
    return SourceEvent(attributes=attributes, data=data) if _is_sound(attributes) else None


def _is_sound(attributes: Mapping[str, str]) -> bool:
    required = all(attributes.get(name) for name in ("id", "source", "type"))
    return attributes.get("specversion") == "1.0" and required and all(map(_SPEC_NAMES.fullmatch, attributes))


def _wrapped(message: Message, source: str) -> SourceEvent:
    place = f"partition:{message.partition()}"
    seconds = message.timestamp()[1] / 1000
    attributes = {
        "specversion": "1.0",
        "id": f"{place}/offset:{message.offset()}",
        "source": f"{source}#{message.topic()}",
        "type": "dev.knative.kafka.event",
        "subject": f"{place}#{message.offset()}",
        "time": datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z"),
    }
    key = message.key()
    if key is not None:
        attributes["partitionkey"] = attributes["key"] = _text(key)
    for name, value in _headers(message):
        if name.lower() == "content-type":
            attributes["datacontenttype"] = _text(value).lower()
        else:
            attributes["kafkaheader" + re.sub("[^a-z0-9]", "", name.lower())] = _text(value)
    return SourceEvent(attributes=attributes, data=message.value())


def _text(value: str | bytes | None) -> str:
    return value if isinstance(value, str) else (value or b"").decode(errors="replace")
