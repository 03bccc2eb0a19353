"""The usual way: a consumer that stores each record by itself, one transaction for each, then commits its offset.

    poll one ──▶ parse ──▶ INSERT … ON CONFLICT, commit ──▶ commit the offset, without waiting for it

It is what a tutorial would write, and correct: an offset never moves before its row is durable. Parsing is the
product's own, so that the arms differ in how they deliver and store, and in nothing else.
"""

from datetime import UTC, datetime
from typing import Final

import psycopg
from confluent_kafka import Consumer, Message

from signal_pipeline.broker.config import consumer_config
from signal_pipeline.domain.failures import Failure
from signal_pipeline.domain.signals import Signal, signal_of
from signal_pipeline.events.kafka import KafkaRecord, decode_record
from signal_pipeline.settings import load_settings
from signal_pipeline.topology import SIGNAL_EVENTS

__all__ = ["GROUP", "run"]

GROUP: Final = "bench-per-row"
_POLL_SECONDS: Final = 1.0
_INSERT: Final = """
INSERT INTO signals AS stored (id, user_id, source, type, event_ts, payload, extensions)
VALUES (%s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (id) DO UPDATE SET event_ts = excluded.event_ts, payload = excluded.payload
WHERE stored.source = excluded.source AND excluded.event_ts > stored.event_ts
"""


def run() -> None:
    """Store records until the process is ended."""
    settings = load_settings()
    config = consumer_config(settings, group=GROUP, offset_reset="earliest", protocol="classic")
    consumer = Consumer({**config, "enable.partition.eof": False})
    consumer.subscribe([SIGNAL_EVENTS.name])
    with psycopg.connect(settings.database_url.get_secret_value(), autocommit=True) as connection:
        while True:
            message = consumer.poll(_POLL_SECONDS)
            if message is None or message.error() is not None:
                continue
            signal = _signal(message)
            connection.execute(_INSERT, _values(signal))
            consumer.commit(message=message, asynchronous=True)


def _signal(message: Message) -> Signal:
    record = KafkaRecord(
        SIGNAL_EVENTS.name,
        message.partition() or 0,
        message.offset() or 0,
        message.timestamp()[1],
        message.key(),
        message.value(),
        tuple(message.headers() or ()),  # type: ignore[arg-type]
    )
    signal = signal_of(decode_record(record, source=GROUP), accepted_at=datetime.now(UTC))
    if isinstance(signal, Failure):
        raise TypeError(signal.detail)  # the backlog holds samples only
    return signal


def _values(signal: Signal) -> tuple[object, ...]:
    return (
        signal.id,
        signal.user_id,
        signal.source,
        signal.type,
        signal.event_ts,
        signal.payload_json,
        signal.extensions_json,
    )


if __name__ == "__main__":
    run()
