"""The checker's own parts: rules, identity, equality of JSON, the ledger."""

import ast
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.checker.ledger import LedgerWriter, load_ledger
from tests.checker.model import Outcome, Position, RawRecord
from tests.checker.rules import rules_of
from tests.checker.versions import identity_of, instant, same_json, version_of

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"data": "sample_data_96"}, set()),
        ({"data": "sample_data_97"}, {"high_data_value"}),
        ({"data": "97 then 50"}, set()),
        ({"data": "9" * 5000}, {"high_data_value"}),
        ({"data": "0" * 5000 + "4"}, {"low_data_value"}),
        ({"data": "sample_data_5"}, set()),
        ({"data": "sample_data_4"}, {"low_data_value"}),
        ({"data": "none"}, set()),
        ({"data": 97}, set()),
        ({"session_id": "sess_12121"}, {"suspicious_session"}),
        ({"session_id": "sess_12131"}, set()),
        ({"session_id": "sess"}, set()),
        (["sample_data_97"], set()),
        (None, set()),
    ],
)
def test_rules_about_payload(payload: Any, expected: set[str]) -> None:
    """Each threshold lies where the specification puts it, and what has no digits breaks no rule."""
    assert rules_of(signal_type="click", payload=payload, time=NOON) == expected


@pytest.mark.parametrize(("hour", "unusual"), [(0, True), (5, True), (6, False), (22, False), (23, True)])
def test_rule_about_time(hour: int, *, unusual: bool) -> None:
    """An API call before 6 and after 22 o'clock UTC is unusual, any other signal at that hour is not."""
    time = NOON.replace(hour=hour)
    assert rules_of(signal_type="api_call", payload=None, time=time) == (
        {"unusual_time_activity"} if unusual else set()
    )
    assert rules_of(signal_type="click", payload=None, time=time) == set()


def test_uuid_is_its_own_identity() -> None:
    """A UUID identifies an event whatever the source and the case; another id only within its source."""
    text = "7D444840-9DC0-11D1-B245-5FFDCE74FAD2"
    assert identity_of("a", text) == identity_of("b", text.lower()) == UUID(text)
    assert identity_of("a", "bc") != identity_of("ab", "c")


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ({"a": [1, 2.0, None]}, {"a": [1.0, 2, None]}, True),
        ({"a": True}, {"a": 1}, False),
        ({"a": 10**30}, {"a": 10**30 + 1}, False),
        ([[]], [{}], False),
        ("1", 1, False),
        (None, False, False),
    ],
)
def test_json_equality(left: Any, right: Any, *, same: bool) -> None:
    """JSON values are equal by type and value: numbers by value, `true` is no number."""
    assert same_json(left, right) is same


def test_time_is_cut_to_microseconds() -> None:
    """A time keeps its instant over zones and loses what is finer than a microsecond."""
    assert instant("2026-01-01T13:00:00.1234567+01:00") == NOON.replace(microsecond=123456)


def test_binary_data_is_wrapped() -> None:
    """Data of another media type than JSON is expected as its type and base64."""
    event = {"id": "1", "source": "s", "type": "t", "datacontenttype": "text/plain", "data_base64": "aGk="}
    assert version_of(event).payload == {"content_type": "text/plain", "data_base64": "aGk="}


def test_ledger_is_read_as_written(tmp_path: Path) -> None:
    """A ledger gives back each attempt with its outcome; one without a result is unknown."""
    event = {"id": "1", "source": "s", "type": "t", "specversion": "1.0", "data": {"a": 1}}
    record = RawRecord(key=None, value=b"\xff", headers=(("h", None),))
    place = Position(topic="signal-events", partition=1, offset=2)
    with LedgerWriter(tmp_path / "ledger") as ledger:
        accepted, unanswered = ledger.attempt_events([event, event])
        ledger.result([accepted], Outcome.OK)
        ledger.results((number, Outcome.OK, place) for number in ledger.attempt_records([(record, None)]))
    first, second, third = load_ledger(tmp_path / "ledger")
    assert (first.number, first.outcome, first.version) == (accepted, Outcome.OK, version_of(event))
    assert (second.number, second.outcome) == (unanswered, Outcome.UNKNOWN)
    assert third.poison
    assert third.record == RawRecord(key=None, value=b"\xff", headers=(("h", None),), position=place)


def test_checker_shares_no_code_with_the_product() -> None:
    """No file of the checker imports anything of the product: what both have in common could hide a mistake."""
    for path in Path(__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[0] in {"signal_pipeline", "local"}], path.name


def test_torn_line_is_ignored(tmp_path: Path) -> None:
    """What a killed sender left of its last line costs nothing but that line; a broken line before it is an error."""
    path = tmp_path / "ledger"
    with LedgerWriter(path) as ledger:
        ledger.attempt_events([{"id": "1", "source": "s", "type": "t"}])
    whole = path.read_text()
    path.write_text(whole + '{"result": 1, "out')
    assert len(load_ledger(path)) == 1
    path.write_text("{broken\n" + whole)
    with pytest.raises(ValueError, match="line 1"):
        load_ledger(path)
