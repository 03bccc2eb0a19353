"""emit with a recording producer in place of Kafka, and how the tests call it."""

import json
from collections.abc import Sequence
from typing import Any

from signal_pipeline.broker.producer import ProduceError
from signal_pipeline.events.kafka import OutgoingRecord
from signal_pipeline.observability.metrics import function_registry
from signal_pipeline.roles.emit import Emit
from signal_pipeline.serving.app import FunctionApp
from signal_pipeline.settings import Settings
from tests.support.asgi import call
from tests.support.http import Answer

__all__ = [
    "BATCH",
    "BINARY",
    "EVENT",
    "JSON",
    "KEY",
    "SETTINGS",
    "STRUCTURED",
    "EmitToList",
    "Headers",
    "RecordingProducer",
    "header",
    "post",
]

SETTINGS = Settings(_env_file=None)
KEY = ("x-api-key", SETTINGS.emit_api_key.get_secret_value())
JSON = ("content-type", "application/json")
STRUCTURED = ("content-type", "application/cloudevents+json")
BATCH = ("content-type", "application/cloudevents-batch+json")
EVENT = {"specversion": "1.0", "id": "1", "source": "web", "type": "login"}
BINARY = tuple((f"ce-{name}", value) for name, value in EVENT.items())
Headers = Sequence[tuple[str, str]]


class RecordingProducer:
    """Stands in for Kafka at the one place where records leave: keeps them, and answers as it is told."""

    def __init__(self) -> None:
        self.records: list[OutgoingRecord] = []
        self.errors: dict[int, ProduceError] = {}

    async def produce(self, records: Sequence[OutgoingRecord]) -> list[ProduceError | None]:
        """Keep the records that are not told to fail."""
        first = len(self.records)
        self.records += records
        return [self.errors.get(first + index) for index in range(len(records))]

    async def ready(self) -> bool:
        """Tell that a broker answers."""
        return True

    async def close(self) -> None:
        """Nothing is under way."""


class EmitToList(Emit):
    """emit with the recording producer."""

    def __init__(self, producer: RecordingProducer, settings: Settings = SETTINGS) -> None:
        super().__init__(settings, function_registry("emit"))
        self.recording = producer

    async def open(self) -> None:
        """Use the producer of the test."""
        self._producer = self.recording  # type: ignore[assignment]


async def post(app: FunctionApp, body: Any = b"", *headers: tuple[str, str], path: str = "/emit") -> Answer:
    """Post a body with the API key."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await call(app, "POST", path, [KEY, *headers], raw)


def header(record: OutgoingRecord, name: str) -> str | None:
    """Return a header of a record as text."""
    value = dict(record.headers).get(name)
    return None if value is None else value.decode()
