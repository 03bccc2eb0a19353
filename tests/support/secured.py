"""Clients that try what they may and what they may not, at a secured pipeline."""

import ssl
import urllib.error
import urllib.request
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer

from signal_pipeline.broker.config import client_config
from tests.support.pipeline import Pipeline

__all__ = ["STRANGERS", "client_of", "get", "posted", "read_in_group", "written"]

_SECONDS = 10.0
_WRONG = {"sasl.mechanism": "SCRAM-SHA-512", "sasl.username": "emit", "sasl.password": "wrong"}
# Clients that the broker must not let in.
STRANGERS: dict[str, dict[str, str]] = {
    "plaintext": {},
    "no login": {"security.protocol": "SSL"},
    "not encrypted": {**_WRONG, "security.protocol": "SASL_PLAINTEXT"},
    "wrong password": {**_WRONG, "security.protocol": "SASL_SSL"},
    "unknown user": {**_WRONG, "security.protocol": "SASL_SSL", "sasl.username": "stranger"},
    "another mechanism": {**_WRONG, "security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN"},
}


def client_of(pipeline: Pipeline, user: str) -> dict[str, Any]:
    """Return the settings of a client that logs in as a Kafka user."""
    passwords = dict(line.split("=", 1) for line in (pipeline.secure / "users").read_text().splitlines())
    login = {"sasl.username": user, "sasl.password": passwords[user]}
    return {**client_config(pipeline.settings), **login}


def get(url: str, context: ssl.SSLContext | None) -> Any:
    """Return the answer to a GET, to be used as a context manager; `OSError` when there is none."""
    return urllib.request.urlopen(url, context=context, timeout=_SECONDS)  # noqa: S310 - the pipeline's own


def posted(pipeline: Pipeline, url: str, headers: dict[str, str]) -> int:
    """Return the status of the answer to an event that is posted with these headers."""
    context = ssl.create_default_context(cafile=str(pipeline.secure / "ca.pem"))
    body = b'{"specversion": "1.0", "id": "1", "source": "stranger", "type": "click"}'
    event = {"content-type": "application/cloudevents+json", **headers}
    request = urllib.request.Request(url, body, event, method="POST")  # noqa: S310 - the pipeline's own
    try:
        with urllib.request.urlopen(request, context=context, timeout=_SECONDS) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code


def written(client: dict[str, Any], topic: str) -> KafkaError | None:
    """Write a record and return what the broker, or the client that does not reach it, says."""
    errors: list[KafkaError | None] = []
    producer = Producer({"message.timeout.ms": 5000, **client})
    producer.produce(topic, b"{}", b"key", on_delivery=lambda error, _: errors.append(error))
    producer.flush(_SECONDS)
    assert len(errors) == 1, "the client said nothing"
    return errors[0]


def read_in_group(consumer: Consumer, topic: str) -> None:
    """Join the group and read; `KafkaException` when one of them is refused."""
    consumer.subscribe([topic])
    message = consumer.poll(_SECONDS)
    if message is not None and (error := message.error()) is not None:
        raise KafkaException(error)
