"""Reads events in the two ways in which they travel, for the tests of the envelope."""

import json
from typing import Any

from signal_pipeline.events.envelope import CloudEvent, event_from_attributes, event_from_json
from signal_pipeline.events.json_guard import load_json

__all__ = ["REQUIRED", "binary", "structured"]

REQUIRED = {"specversion": "1.0", "id": "1", "source": "web", "type": "login"}


def structured(**attributes: Any) -> CloudEvent:
    """Read an event from the text of its JSON format, as it would arrive."""
    value, plain = load_json(json.dumps(REQUIRED | attributes).encode())
    return event_from_json(value, plain=plain)


def binary(body: bytes | None = None, **attributes: Any) -> CloudEvent:
    """Read an event whose attributes and data travelled apart."""
    return event_from_attributes(REQUIRED | attributes, body)
