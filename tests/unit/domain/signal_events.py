"""CloudEvents as the domain sees them, for the tests of signals."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from signal_pipeline.domain.failures import Failure
from signal_pipeline.domain.signals import Signal, signal_of

__all__ = ["ACCEPTED_AT", "A_UUID", "EVENT_TIME", "Event", "extensions", "json_event", "refusal", "signal"]

ACCEPTED_AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
EVENT_TIME = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
A_UUID = "7d444840-9dc0-11d1-b245-5ffdce74fad2"


@dataclass(frozen=True, kw_only=True)
class Event:
    """A CloudEvent as the domain sees one."""

    id: str = A_UUID
    source: str = "web"
    type: str = "login"
    subject: str | None = None
    time: datetime | None = EVENT_TIME
    datacontenttype: str | None = None
    dataschema: str | None = None
    extensions: dict[str, str | int | bool] = field(default_factory=dict)
    data: Any = None
    data_json: bytes | None = None
    data_bytes: bytes | None = None


def json_event(data: Any, **attributes: Any) -> Event:
    """Return an event with JSON data."""
    return Event(data=data, data_json=json.dumps(data).encode(), **attributes)


def signal(event: Event) -> Signal:
    """Return the signal that an event is."""
    found = signal_of(event, accepted_at=ACCEPTED_AT)
    assert isinstance(found, Signal), found
    return found


def refusal(event: Event) -> Failure:
    """Return why an event is no signal."""
    found = signal_of(event, accepted_at=ACCEPTED_AT)
    assert isinstance(found, Failure), found
    return found


def extensions(event: Event) -> Any:
    """Return the stored extensions as a value."""
    text = signal(event).extensions_json
    return None if text is None else json.loads(text)
