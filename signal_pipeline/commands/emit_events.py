"""`emit`: a small client of the role emit on the CloudEvents SDK, as any program that sends signals would be."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from cloudevents.conversion import to_binary, to_structured
from cloudevents.http import CloudEvent

from signal_pipeline.commands.emit_http import EmitClient
from signal_pipeline.commands.screen import OUT
from signal_pipeline.errors import ConfigurationError
from signal_pipeline.settings import Settings

__all__ = ["Message", "emit_events"]

_MODES: Final = {"binary": to_binary, "structured": to_structured}


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """What to say.

    Attributes:
        type: CloudEvents type, such as `click`.
        source: CloudEvents source, such as `web`.
        user: CloudEvents subject; None leaves it out.
        data: JSON text; None leaves it out.
        event_id: CloudEvents id; None makes one.
        mode: How it travels on HTTP: binary or structured.
    """

    type: str
    source: str
    user: str | None = None
    data: str | None = None
    event_id: str | None = None
    mode: str = "binary"


def emit_events(settings: Settings, message: Message, *, count: int = 1) -> None:
    """Send a message `count` times, each under its own id, and print the ids that emit accepted.

    Raises:
        ConfigurationError: an option makes no sense, or emit refuses the event.
        DependencyUnavailable: emit does not answer.
    """
    if message.event_id is not None and count > 1:
        raise ConfigurationError("--id names one event: leave it out to send several")
    if message.mode not in _MODES:
        raise ConfigurationError(f"--mode is {' or '.join(_MODES)}")
    asyncio.run(_emit(settings, [_event(message) for _ in range(count)], message.mode))


async def _emit(settings: Settings, events: Sequence[CloudEvent], mode: str) -> None:
    async with EmitClient(settings) as client:
        await client.require_ready()
        for event in events:
            headers, body = _MODES[mode](event)
            await client.post(headers, body)
            OUT.print(event["id"], markup=False)


def _event(message: Message) -> CloudEvent:
    attributes = {
        "type": message.type,
        "source": message.source,
        "id": message.event_id or str(uuid4()),
        "time": datetime.now(UTC).isoformat(),
        "datacontenttype": "application/json",
    }
    if message.user is not None:
        attributes["subject"] = message.user
    return CloudEvent(attributes, _data(message.data))


def _data(text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except json.JSONDecodeError as exc:
        raise ConfigurationError(f"--data is no JSON: {exc}") from exc
