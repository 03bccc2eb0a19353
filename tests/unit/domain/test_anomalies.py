"""The anomaly rules at their boundaries."""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import pytest

from signal_pipeline.domain.anomalies import RULES, anomalies_of, select_rules
from signal_pipeline.domain.signals import Signal

ID = UUID("7d444840-9dc0-11d1-b245-5ffdce74fad2")
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def signal(payload: Any = None, *, kind: str = "login", at: datetime = NOON, text: str | None = None) -> Signal:
    """Return a signal that happened at noon unless told otherwise."""
    return Signal(
        id=ID,
        user_id="user_1",
        source="web",
        type=kind,
        event_ts=at,
        payload=payload,
        payload_json=json.dumps(payload) if text is None else text,
        extensions_json=None,
    )


def broken(payload: Any = None, **attributes: Any) -> list[str]:
    """Return the names of the rules that a signal breaks."""
    return [anomaly.anomaly_type for anomaly in anomalies_of(signal(payload, **attributes))]


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        ("sample_data_97", "high_data_value"),  # the first number over 96
        ("sample_data_96", None),
        ("sample_data_100", "high_data_value"),
        ("sample_data_5", None),  # the first number that is not below 5
        ("sample_data_4", "low_data_value"),
        ("sample_data_0", "low_data_value"),
        ("97 then 50", None),  # the last run of digits counts
        ("50 then 97 units", "high_data_value"),
        ("0097", "high_data_value"),
        ("-50.97", "high_data_value"),  # 50 and 97 are two runs
        ("00000000000000000000000050", None),
        ("1" + "0" * 40, "high_data_value"),
        ("no digits", None),
        ("", None),
        ("٩٩", None),  # a number is written in ASCII digits
        (97, None),  # and stands in a string
        (None, None),
        (["97"], None),
    ],
)
def test_data_values(data: Any, rule: str | None) -> None:
    """A number over 96 is high and one below 5 is low; what is no string of digits is neither."""
    assert broken({"data": data}) == ([rule] if rule else [])


@pytest.mark.parametrize(
    ("session", "suspicious"),
    [
        ("sess_11111", True),  # one digit
        ("sess_12121", True),  # two
        ("sess_12123", False),  # three
        ("1", True),
        ("1a2b1", True),
        ("sess_", False),  # none at all is no anomaly
        ("", False),
        (11111, False),
        (None, False),
    ],
)
def test_sessions(session: Any, suspicious: bool) -> None:  # noqa: FBT001 - an expected value
    """A session id with one or two different digits is suspicious."""
    assert broken({"session_id": session}) == (["suspicious_session"] if suspicious else [])


@pytest.mark.parametrize(
    ("hour", "minute", "unusual"),
    [(0, 0, True), (5, 59, True), (6, 0, False), (12, 0, False), (22, 59, False), (23, 0, True), (23, 59, True)],
)
def test_hours(hour: int, minute: int, unusual: bool) -> None:  # noqa: FBT001
    """An api_call before 6 or after the hour 22 in UTC is unusual, anything else is not."""
    at = NOON.replace(hour=hour, minute=minute)
    assert broken(kind="api_call", at=at) == (["unusual_time_activity"] if unusual else [])
    assert broken(kind="login", at=at) == []


@pytest.mark.parametrize("payload", [None, [], "97", 97, {"other": "97"}])
def test_other_payloads_break_nothing(payload: Any) -> None:
    """A payload of another shape is no anomaly."""
    assert broken(payload) == []


def test_several_rules_at_once() -> None:
    """A signal has one anomaly for each rule that it breaks, in the order of the table."""
    found = anomalies_of(
        signal({"data": "x97", "session_id": "s1"}, kind="api_call", at=NOON.replace(hour=3)),
    )
    assert [anomaly.anomaly_type for anomaly in found] == [
        "high_data_value",
        "suspicious_session",
        "unusual_time_activity",
    ]
    assert {anomaly.severity for anomaly in found} == {1}
    assert {(anomaly.user_id, anomaly.signal_event_id) for anomaly in found} == {("user_1", ID)}


def test_found_again_it_is_the_same() -> None:
    """The id follows from signal and rule alone."""
    (first,) = anomalies_of(signal({"data": "97"}))
    (again,) = anomalies_of(signal({"data": "98"}, at=NOON.replace(hour=13)))
    assert first.id == again.id == uuid5(ID, "high_data_value")


def test_the_context_is_the_signal_as_the_rule_saw_it() -> None:
    """The context holds the signal and the rule, the payload in its own text with every digit."""
    text = '{"data":"97","n":123456789012345678901234567890,"é":"\\""}'
    (anomaly,) = anomalies_of(signal(json.loads(text), text=text))
    assert text in anomaly.context_json
    assert json.loads(anomaly.context_json) == {
        "original_signal": {
            "id": str(ID),
            "user_id": "user_1",
            "source": "web",
            "type": "login",
            "event_ts": "2026-01-02T12:00:00+00:00",
            "payload": json.loads(text),
        },
        "rule": "high_data_value",
    }


@pytest.mark.parametrize(
    ("extensions", "ids"),
    [
        (None, {}),
        ({"other": "x"}, {}),
        (
            {"correlationid": "c-1", "traceparent": TRACEPARENT, "id": "7"},
            {"correlationid": "c-1", "traceparent": TRACEPARENT},
        ),
        ({"correlationid": "no id", "traceparent": "no trace"}, {}),
        ({"correlationid": "x" * 65, "traceparent": TRACEPARENT + "-00"}, {}),
        ({"correlationid": 7, "traceparent": ["x"]}, {}),
    ],
)
def test_the_context_names_the_request(extensions: dict[str, Any] | None, ids: dict[str, str]) -> None:
    """Correlation id and trace context go with the signal they came with, as far as they are sound."""
    bare = signal({"data": "97"})
    (anomaly,) = anomalies_of(replace(bare, extensions_json=None if extensions is None else json.dumps(extensions)))
    found = json.loads(anomaly.context_json)["original_signal"]
    assert {name: found[name] for name in found if name in {"correlationid", "traceparent", "id", "other"}} == {
        "id": str(ID),
        **ids,
    }


def test_rules_can_be_chosen() -> None:
    """An empty setting enables every rule, a list exactly those, in the order of the table."""
    assert select_rules("") == select_rules(" , ") == RULES
    assert [rule.name for rule in select_rules("suspicious_session, high_data_value")] == [
        "high_data_value",
        "suspicious_session",
    ]
    (chosen,) = select_rules("low_data_value")
    assert anomalies_of(signal({"data": "97"}), [chosen]) == []


def test_an_unknown_rule_is_named() -> None:
    """A misspelt rule stops the start, and the message names it and the known ones."""
    with pytest.raises(ValueError, match=r"no such rule: hihg; the rules are high_data_value, .*"):
        select_rules("low_data_value,hihg")


@pytest.mark.parametrize("unit", ["1", "1a", "a", "0", "-", "é"])
def test_long_strings_are_judged_quickly(unit: str) -> None:
    """A string of 256 KiB costs milliseconds, whatever it is made of."""
    text = unit * (256 * 1024 // len(unit))
    big = signal({"data": text, "session_id": text}, kind="api_call", text="null")
    started = time.process_time()
    anomalies_of(big)
    assert time.process_time() - started < 0.25
