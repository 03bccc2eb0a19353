"""The signals of `make load`, and what the rules say must come of them. Pure: clock and chance are passed in."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import orjson

from signal_pipeline.domain.anomalies import Rule, anomalies_of
from signal_pipeline.domain.failures import Failure
from signal_pipeline.domain.samples import sample_signal
from signal_pipeline.domain.signals import signal_of
from signal_pipeline.events.envelope import JSON_CONTENT_TYPE, CloudEvent
from signal_pipeline.events.kafka import instant_text

__all__ = ["SentSignal", "batch_body", "expected_of", "sample_event", "source_name"]

_SOURCE_DIGITS: Final = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class SentSignal:
    """A signal that was sent, and what must come of it.

    Attributes:
        id: Its row in table signals.
        time: When it happened, which is when it was made.
        anomalies: Ids of the anomalies that the rules find in it.
    """

    id: UUID
    time: datetime
    anomalies: frozenset[UUID]


def source_name(rng: random.Random) -> str:
    """Return a source that no other load has: `load-` and eight hexadecimal digits."""
    return f"load-{rng.getrandbits(4 * _SOURCE_DIGITS):0{_SOURCE_DIGITS}x}"


def sample_event(source: str, nanoseconds: int, rng: random.Random) -> CloudEvent:
    """Return a sample signal of this source.

    Args:
        source: CloudEvents source.
        nanoseconds: Time since 1970.
        rng: Source of every choice.
    """
    time = datetime.fromtimestamp(nanoseconds / 1_000_000_000, UTC)
    sample = sample_signal(nanoseconds, time, rng)
    return CloudEvent(
        id=str(sample.id),
        source=source,
        type=sample.type,
        subject=sample.user_id,
        time=time,
        datacontenttype=JSON_CONTENT_TYPE,
        data=sample.payload,
        data_json=orjson.dumps(sample.payload),
    )


def expected_of(event: CloudEvent, rules: Sequence[Rule]) -> SentSignal:
    """Return what must come of an event, by the same rules that detect-anomaly applies.

    Raises:
        ValueError: the event is no signal, or has no time.
    """
    if event.time is None:
        raise ValueError("an event without a time gets one at emit, which nobody can know beforehand")
    signal = signal_of(event, accepted_at=event.time)
    if isinstance(signal, Failure):
        raise ValueError(signal.detail)  # noqa: TRY004 - it is the event's value that is wrong
    found = frozenset(anomaly.id for anomaly in anomalies_of(signal, rules))
    return SentSignal(id=signal.id, time=signal.event_ts, anomalies=found)


def batch_body(events: Sequence[CloudEvent]) -> bytes:
    """Write events in the JSON batch format."""
    return orjson.dumps([_element(event) for event in events])


def _element(event: CloudEvent) -> dict[str, object]:
    return {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "time": event.time and instant_text(event.time),
        "datacontenttype": event.datacontenttype,
        "data": event.data,
    }
