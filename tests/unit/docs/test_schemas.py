"""The JSON Schemas say what the product does: of signals in both directions, of what it writes in one."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft7Validator, Draft202012Validator

from signal_pipeline.domain.anomalies import RULES
from signal_pipeline.domain.dead_letters import Disposition, metadata_headers
from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.domain.signals import PLAIN_RECORD_TYPE
from signal_pipeline.errors import PipelineError
from signal_pipeline.events.envelope import event_from_json
from signal_pipeline.events.json_guard import load_json
from signal_pipeline.roles.emit import _refusal
from signal_pipeline.serving.contracts import schema_document
from tests.support.dead_letters import failure_metadata
from tests.unit.docs.candidates import SMALLEST, TOO_LONG, candidates

SIGNAL, ANOMALY, HEADERS = (
    json.loads(schema_document(name)) for name in ("signal", "anomaly-event", "dead-letter-headers")
)
RECORD = {"id": "1", "source": "web", "type": "login"}


def is_accepted(event: dict[str, Any]) -> bool:
    """Tell whether emit publishes an event that comes in structured mode."""
    try:
        value, plain = load_json(json.dumps(event).encode())
        return _refusal(event_from_json(value, plain=plain), datetime.now(UTC)) is None
    except PipelineError:
        return False


@settings(deadline=None, max_examples=500)
@given(candidates)
def test_the_schema_of_signals_takes_what_is_accepted_and_nothing_else(event: dict[str, Any]) -> None:
    """Whatever emit accepts fits the schema, and whatever fits is accepted, as far as a schema can tell."""
    assert Draft202012Validator(SIGNAL).is_valid(event) == is_accepted(event)
    assert Draft7Validator(SIGNAL).is_valid(event) == is_accepted(event)


@pytest.mark.parametrize(
    ("event", "good"),
    [
        (SMALLEST, True),
        ({**SMALLEST, "time": "2026-01-01T00:00:00Z", "subject": "user_7", "data": {"session_id": "s"}}, True),
        ({**SMALLEST, "datacontenttype": "text/plain", "data": {"session_id": TOO_LONG}}, True),
        ({**SMALLEST, "data": {"session_id": TOO_LONG}}, False),
        ({**SMALLEST, "data": 1, "data_base64": "MQ=="}, False),
        ({**SMALLEST, "data": None, "data_base64": "MQ=="}, True),
        *(({**SMALLEST, name: "x" * 256}, True) for name in ("id", "source", "type", "subject", "userid")),
        *(({**SMALLEST, name: TOO_LONG}, False) for name in ("id", "source", "type", "subject", "userid")),
        *(({**SMALLEST, "x" * length: ""}, length <= 64) for length in (1, 64, 65)),
        *(({**SMALLEST, "long": "x" * length}, length <= 16384) for length in (16384, 16385)),
        ({**SMALLEST, "Upper": "x"}, False),
        ({**SMALLEST, "a": 2**31}, False),
        ({**SMALLEST, "a": "b\n"}, False),
        ({**SMALLEST, **{f"a{number}": "x" for number in range(56)}}, True),
        ({**SMALLEST, "type": PLAIN_RECORD_TYPE, "data": RECORD}, True),
        ({**SMALLEST, "type": PLAIN_RECORD_TYPE, "data": {**RECORD, "session_id": TOO_LONG}}, True),
        ({**SMALLEST, "type": PLAIN_RECORD_TYPE, "data": {**RECORD, "payload": {"session_id": TOO_LONG}}}, False),
        ({**SMALLEST, "type": PLAIN_RECORD_TYPE, "data": {**RECORD, "id": ""}}, False),
        ({**SMALLEST, "type": PLAIN_RECORD_TYPE, "data": {**RECORD, "event_id": 7}}, False),
        ({**SMALLEST, "type": PLAIN_RECORD_TYPE, "data": {**RECORD, "timestamp": 7}}, False),
        ({**SMALLEST, "type": PLAIN_RECORD_TYPE, "data": {**RECORD, "timestamp": 7, "event_ts": None}}, True),
        ({**SMALLEST, "type": PLAIN_RECORD_TYPE, "data": {**RECORD, "specversion": "1.0"}}, False),
        ({**SMALLEST, "type": PLAIN_RECORD_TYPE}, False),
        ({**SMALLEST, "type": PLAIN_RECORD_TYPE, "datacontenttype": "text/plain", "data": RECORD}, False),
    ],
)
def test_telling_cases(event: dict[str, Any], *, good: bool) -> None:
    """The cases that the schema's branches are for go the same way in the schema and in emit."""
    assert (Draft202012Validator(SIGNAL).is_valid(event), is_accepted(event)) == (good, good)


@pytest.mark.parametrize("failure_class", FailureClass)
@pytest.mark.parametrize("disposition", Disposition)
def test_headers_of_a_dead_letter_fit_their_schema(failure_class: FailureClass, disposition: Disposition) -> None:
    """What a trigger writes about a failure fits, whatever class and disposition, and however long the message."""
    metadata = failure_metadata(failure_class, disposition=disposition, message="a\n" + "é" * 2000)
    written = {name: value.decode() for name, value in metadata_headers(metadata)}
    Draft202012Validator(HEADERS, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(written)
    for name in written:
        assert not Draft202012Validator(HEADERS).is_valid({key: value for key, value in written.items() if key != name})


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("id", "7"),
        ("partition", "-1"),
        ("offset", "x"),
        ("class", "strange"),
        ("message", "a\nb"),
        ("attempts", "0"),
        ("firsttime", "2026-01-01T00:00:00+00:00"),
        ("disposition", "lost"),
    ],
)
def test_the_schema_of_dead_letter_headers_refuses(name: str, broken: str) -> None:
    """A value that no trigger writes does not fit."""
    good = {name: value.decode() for name, value in metadata_headers(failure_metadata())}
    assert not Draft202012Validator(HEADERS).is_valid({**good, f"ce_dlq{name}": broken})


@pytest.mark.parametrize(
    ("member", "broken"),
    [
        ("id", "order-4711"),
        ("source", "elsewhere"),
        ("type", "anomaly"),
        ("subject", ""),
        ("time", "2026-01-01T00:00:00"),
        ("data", None),
        ("data", {}),
    ],
)
def test_the_schema_of_anomaly_events_refuses(member: str, broken: Any) -> None:
    """An event that is not what detect-anomaly publishes does not fit."""
    (good,) = ANOMALY["examples"]
    assert not Draft202012Validator(ANOMALY).is_valid({**good, member: broken})
    assert not Draft202012Validator(ANOMALY).is_valid({name: value for name, value in good.items() if name != member})


def test_the_schema_of_anomaly_events_names_the_rules() -> None:
    """The rules are told as examples, since later ones must not break a consumer."""
    told = ANOMALY["$defs"]["anomaly"]["properties"]["anomaly_type"]["examples"]
    assert told == [rule.name for rule in RULES]
