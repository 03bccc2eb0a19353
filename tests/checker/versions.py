"""From a CloudEvent in its JSON format to the row that it must become; and equality of JSON values."""

import base64
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from tests.checker.model import Version

__all__ = ["identity_of", "instant", "same_json", "version_of"]

# The namespace of derived row ids is part of the stored data's format: copied on purpose, not imported.
SIGNAL_NAMESPACE = UUID("6f1c1a52-0f0e-5a55-9d7c-6b7d5f3e2a10")
_CONTEXT_ATTRIBUTES = {
    "specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data", "data_base64", "userid",
}  # fmt: skip
# Attributes of the way, not of the event: they differ between deliveries, and no row keeps them.
_TRANSPORT = ("knativekafka", "knativearrivaltime", "knativeerror", "dlq")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_FRACTION = re.compile(r"\.(\d+)")


def identity_of(source: str, event_id: str) -> UUID:
    """Return the primary key of the row of an event: its id when that is a UUID, else one derived from both names."""
    if _UUID.fullmatch(event_id):
        return UUID(event_id)
    return uuid5(SIGNAL_NAMESPACE, json.dumps([source, event_id], ensure_ascii=False, separators=(",", ":")))


def version_of(event: Mapping[str, Any]) -> Version:
    """Return what a row must show of a CloudEvent that was sent."""
    user = event.get("userid", event.get("subject"))
    extensions = {
        name: value
        for name, value in event.items()
        if value is not None and name not in _CONTEXT_ATTRIBUTES and not name.startswith(_TRANSPORT)
    }
    return Version(
        row_id=identity_of(event["source"], event["id"]),
        source=event["source"],
        type=event["type"],
        user_id=None if user is None else str(user),
        time=instant(event["time"]) if event.get("time") else None,
        payload=_payload(event),
        extensions=extensions,
    )


def instant(text: str) -> datetime:
    """Parse an RFC 3339 time; what is finer than a microsecond is cut off, as PostgreSQL's type cannot hold it."""
    cut = _FRACTION.sub(lambda found: f".{found[1][:6].ljust(6, '0')}", text.upper())
    return datetime.fromisoformat(cut).astimezone(UTC)


def _payload(event: Mapping[str, Any]) -> Any:
    content_type = event.get("datacontenttype") or "application/json"
    media_type = content_type.partition(";")[0].strip().lower()
    is_json = media_type in {"application/json", "text/json"} or media_type.endswith("+json")
    if event.get("data_base64") is not None:
        raw = base64.b64decode(event["data_base64"])
    elif is_json or "data" not in event:
        return event.get("data")
    else:
        data = event["data"]
        raw = (data if isinstance(data, str) else json.dumps(data, separators=(",", ":"))).encode()
    if is_json:
        return json.loads(raw)
    return {"content_type": content_type, "data_base64": base64.b64encode(raw).decode()}


def same_json(left: Any, right: Any) -> bool:
    """Tell whether two JSON values are equal: Python's `==`, but `true` is no number, at any depth."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same_json(left[name], right[name]) for name in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same_json, left, right))
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)
