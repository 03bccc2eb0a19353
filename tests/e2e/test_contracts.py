"""What is really on the topics fits the documents that emit serves about them."""

import json
from typing import Any
from urllib.request import urlopen
from uuid import uuid4

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from signal_pipeline.domain.dead_letters import NAMES
from tests.checker.kafka import read_topic
from tests.checker.model import RawRecord
from tests.support.pipeline import Pipeline
from tests.support.sender import Sender, event, events
from tests.support.waiting import wait_for

_BREAKS_ONE_RULE = {"data": "sample_data_99", "session_id": "sess_12345"}


class Documents:
    """The documents as emit serves them."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._url = pipeline.settings.function_url("emit")
        self._asyncapi = self.get("/asyncapi.json")

    def get(self, path: str) -> Any:
        """Return one document."""
        with urlopen(self._url + path, timeout=10) as answer:  # noqa: S310 - the test's own pipeline
            return json.loads(answer.read())

    def faults(self, message: str, **parts: Any) -> list[str]:
        """Return what the message of the AsyncAPI document finds wrong in headers, payload or key."""
        found = []
        described = self._asyncapi["components"]["messages"][message]
        described["key"] = described["bindings"]["kafka"]["key"]
        for part, value in parts.items():
            # References lead to components of the document, so these stand at the root of the schema too.
            schema = {"allOf": [described[part]], "components": self._asyncapi["components"]}
            faults = Draft7Validator(schema).iter_errors(value)
            found += [f"{part}{fault.json_path[1:]}: {fault.message}" for fault in faults]
        return found


@pytest.fixture
def documents(pipeline: Pipeline) -> Documents:
    """The documents of the running pipeline."""
    return Documents(pipeline)


def texts(record: RawRecord) -> dict[str, str]:
    """Return the headers of a record as texts; other tests put bytes that are no text on the same topics."""
    return {name: (value or b"").decode(errors="replace") for name, value in record.headers}


def in_json_format(record: RawRecord) -> dict[str, Any]:
    """Return the event of a record in binary mode as its JSON document."""
    headers = texts(record)
    attributes = {name.removeprefix("ce_"): value for name, value in headers.items() if name.startswith("ce_")}
    return {**attributes, "datacontenttype": headers["content-type"], "data": json.loads(record.value or b"null")}


def of_source(pipeline: Pipeline, topic: str, source: str) -> list[RawRecord]:
    """Return the records of a topic whose event has this source."""
    return [each for each in read_topic(pipeline.broker, topic) if texts(each).get("ce_source") == source]


async def test_signals_fit(pipeline: Pipeline, sender: Sender, documents: Documents) -> None:
    """Signals that were sent in a batch, with data of any shape, fit the message and the schema of signals."""
    strange = [event(sender.source, data=data) for data in (None, [], "text", 7, {"session_id": 7})]
    assert await sender.post_batch([*events(20, sender.source), *strange])
    records = of_source(pipeline, "signal-events", sender.source)
    assert len(records) == 25
    schema = Draft202012Validator(documents.get("/schemas/signal.json"))
    for record in records:
        signal, key = in_json_format(record), (record.key or b"").decode()
        schema.validate(signal)
        assert documents.faults("signal", headers=texts(record), payload=signal["data"], key=key) == []


async def test_anomaly_events_fit(pipeline: Pipeline, sender: Sender, documents: Documents) -> None:
    """Every anomaly event fits, with a user and without, and it does not fit once a member is gone."""
    one = event(sender.source, type="click", data=_BREAKS_ONE_RULE)
    other = {**event(sender.source, type="click", data=_BREAKS_ONE_RULE), "subject": None}
    assert await sender.post_batch([one, other])

    def published() -> list[RawRecord]:
        found = read_topic(pipeline.broker, "anomaly-events")
        mine = [
            each for each in found if json.loads(each.value or b"{}")["signal_event_id"] in {one["id"], other["id"]}
        ]
        return mine if len(mine) == 2 else []

    schema = Draft202012Validator(documents.get("/schemas/anomaly-event.json"))
    for record in wait_for(published, seconds=30, what="two anomaly events"):
        anomaly, key = in_json_format(record), (record.key or b"").decode()
        schema.validate(anomaly)
        assert documents.faults("anomaly", headers=texts(record), payload=anomaly["data"], key=key) == []
        for name in anomaly["data"]:
            less = {member: value for member, value in anomaly["data"].items() if member != name}
            assert not schema.is_valid({**anomaly, "data": less}), name


async def test_dead_letters_fit(pipeline: Pipeline, sender: Sender, documents: Documents) -> None:
    """The headers of a dead letter, on its topic and in quarantine, fit and are the last sixteen."""
    one = event(sender.source, id=str(uuid4()))
    assert await sender.post_batch([one, {**one, "source": f"{sender.source}-elsewhere"}])

    def given_up() -> list[RawRecord]:
        topics = ("signal-events-dlq", "signal-events-quarantine")
        found = [each for topic in topics for each in read_topic(pipeline.broker, topic)]
        mine = [each for each in found if texts(each).get("ce_id") == one["id"]]
        return mine if len(mine) == 2 else []

    for record in wait_for(given_up, seconds=30, what="the dead letter and its quarantine"):
        ours = record.headers[-len(NAMES) :]
        assert tuple(name for name, _ in ours) == NAMES
        headers = {name: (value or b"").decode() for name, value in ours}
        Draft202012Validator(documents.get("/schemas/dead-letter-headers.json")).validate(headers)
        assert documents.faults("deadLetter", headers=headers, payload=None, key=None) == []
        assert headers["ce_dlqcode"] == "identity_conflict"
