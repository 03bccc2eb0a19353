"""Every way in which a trigger hands Kafka records to a function, and what its answers mean for each record.

Written from the wire formats' descriptions, not with the product's code: only the batch of our own trigger is its own.
"""

import base64
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from signal_pipeline.events.kafka import KafkaRecord
from signal_pipeline.events.kafka_wire import batch_message
from tests.contract.client import Site
from tests.support.http import Answer

__all__ = ["DELIVERIES", "Delivery"]

_SOURCE = "/apis/v1/namespaces/default/kafkasources/test"
_PATH = "/"
Delivery = Callable[[Site, Sequence[KafkaRecord]], list[str]]


def _knative(site: Site, records: Sequence[KafkaRecord]) -> list[str]:
    """Post one record a request in binary mode, as a KafkaSource does."""
    return [_verdict(site.post(_PATH, _knative_headers(record), record.value or b"")) for record in records]


def _knative_headers(record: KafkaRecord) -> dict[str, str]:
    given = {name.lower(): value.decode() for name, value in record.headers}
    if given.get("content-type", "").startswith("application/cloudevents+json"):
        return {"content-type": given["content-type"]}
    headers = {f"ce-{name[3:]}": value for name, value in given.items() if name.startswith("ce_")}
    if not headers:
        place = f"partition:{record.partition}/offset:{record.offset}"
        moment = datetime.fromtimestamp(record.timestamp_ms / 1000, UTC).isoformat().replace("+00:00", "Z")
        headers = {
            "ce-specversion": "1.0",
            "ce-id": place,
            "ce-source": f"{_SOURCE}#{record.topic}",
            "ce-type": "dev.knative.kafka.event",
            "ce-subject": place.replace("/offset:", "#"),
            "ce-time": moment,
        } | {f"ce-kafkaheader{name.replace('-', '')}": value for name, value in given.items() if name != "content-type"}
        if record.key is not None:
            headers["ce-key"] = record.key.decode()
    headers |= {"ce-knativekafkapartition": str(record.partition), "ce-knativekafkaoffset": str(record.offset)}
    return headers | {"content-type": given.get("content-type", "application/json")}


def _batch(site: Site, records: Sequence[KafkaRecord]) -> list[str]:
    """Post all records as one CloudEvents batch, as our trigger does."""
    message = batch_message(records, source=_SOURCE, wrap_record=False)
    return _verdicts(site.post(_PATH, message.headers, message.body), len(records))


def _record_batch(site: Site, records: Sequence[KafkaRecord]) -> list[str]:
    """Post whole records as one batch, as our trigger does for dead letters."""
    message = batch_message(records, source=_SOURCE, wrap_record=True)
    return _verdicts(site.post(_PATH, message.headers, message.body), len(records))


def _openfaas(site: Site, records: Sequence[KafkaRecord]) -> list[str]:
    """Post raw values with X-Kafka-* headers, as OpenFaaS' own connector does."""
    return [_verdict(site.post(_PATH, _openfaas_headers(record), record.value or b"")) for record in records]


def _openfaas_headers(record: KafkaRecord) -> dict[str, str]:
    headers = {f"X-Kafka-{name}": value.decode("latin-1") for name, value in record.headers}
    headers |= {"X-Topic": record.topic, "X-Kafka-Partition": str(record.partition)}
    headers["X-Kafka-Offset"] = str(record.offset)
    if record.key is not None:
        headers |= {"X-Kafka-Key": base64.b64encode(record.key).decode(), "X-Kafka-Key-Enc": "b64"}
    return headers


# A dead letter comes to replay-dlq by our trigger as a whole record.
DELIVERIES: dict[str, Delivery] = {"KafkaSource": _knative, "our batch": _batch, "OpenFaaS connector": _openfaas}
RECORD_DELIVERIES: dict[str, Delivery] = DELIVERIES | {"our batch": _record_batch}


def _verdict(answer: Answer) -> str:
    """Return what an answer says about its one event: `durable`, or class and code."""
    return "durable" if answer.status in {200, 202, 204} else _named(answer.json)


def _verdicts(answer: Answer, count: int) -> list[str]:
    if answer.status == 207:
        failed = {int(one["index"]): _named(one) for one in answer.json["results"]}
        return [failed.get(index, "durable") for index in range(count)]
    return [_verdict(answer)] * count


def _named(failure: Any) -> str:
    assert isinstance(failure, dict), json.dumps(failure)
    return f"{failure['class']} {failure['code']}"
