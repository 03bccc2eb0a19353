"""A load knows beforehand what must come of it, and says what did not."""

import random
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import pytest

from signal_pipeline.commands.load_events import batch_body, expected_of, sample_event, source_name
from signal_pipeline.commands.load_figures import LoadFigures, figure_rows, problems
from signal_pipeline.domain.anomalies import RULES, select_rules
from signal_pipeline.events.envelope import CloudEvent
from signal_pipeline.events.http import BATCH_CONTENT_TYPE, decode_request

NOON = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
SIGNAL = UUID("7d444840-9dc0-11d1-b245-5ffdce74fad2")
GOOD = LoadFigures(
    source="load-00000000",
    sent=1000,
    accepted=1000,
    refused=(),
    repeats=0,
    stored=1000,
    rows=1000,
    unchecked=0,
    expected_anomalies=90,
    found_anomalies=90,
    other_anomalies=0,
    outbox_rows=90,
    published=90,
    confirmed=90,
    seconds=2.0,
    latency_p50=0.1,
    latency_p99=0.2,
)


def event(**changes: Any) -> CloudEvent:
    """Return a click at noon that breaks no rule, with whatever is said differently."""
    values: dict[str, Any] = {
        "id": str(SIGNAL),
        "source": "load-00000000",
        "type": "click",
        "subject": "user_1",
        "time": NOON,
        "data": {"session_id": "sess_12345", "data": "sample_data_50"},
    }
    return CloudEvent(**values | changes)


def test_two_loads_have_different_sources() -> None:
    """A load has a source of its own, so that other traffic may run beside it."""
    rng = random.Random(1)  # noqa: S311 - a repeatable test
    first, second = source_name(rng), source_name(rng)
    assert first != second
    assert len(first) == len("load-") + 8


def test_the_batch_is_what_emit_reads() -> None:
    """The body of a request is a CloudEvents batch with the events as they were made."""
    rng = random.Random(1)  # noqa: S311 - a repeatable test
    sent = [sample_event("load-1", 1_700_000_000_123_456_000 + number, rng) for number in range(3)]
    request = decode_request([("content-type", BATCH_CONTENT_TYPE)], batch_body(sent))
    assert [
        (each.id, each.source, each.type, each.subject, each.time, each.data)
        for each in request.events
        if isinstance(each, CloudEvent)
    ] == [(each.id, each.source, each.type, each.subject, each.time, each.data) for each in sent]


def test_the_expectation_names_each_anomaly_by_its_id() -> None:
    """Data above 96 and a session of two digits break two rules; their ids follow from signal and rule."""
    expected = expected_of(event(data={"session_id": "sess_11211", "data": "sample_data_97"}), RULES)
    assert expected.id == SIGNAL
    assert expected.anomalies == {uuid5(SIGNAL, "high_data_value"), uuid5(SIGNAL, "suspicious_session")}


def test_a_rule_that_is_switched_off_is_not_expected() -> None:
    """The load expects what the enabled rules say and no more."""
    expected = expected_of(event(data={"data": "sample_data_97"}), select_rules("low_data_value"))
    assert expected.anomalies == frozenset()


def test_an_event_without_a_time_has_no_expectation() -> None:
    """Such an event is stamped by emit, and a rule that looks at the hour could not be foretold."""
    with pytest.raises(ValueError, match="without a time"):
        expected_of(event(time=None), RULES)


def test_a_load_that_arrived_whole_has_no_problems() -> None:
    """Everything sent was accepted, stored, checked, published and confirmed: nothing to say."""
    assert problems(GOOD) == []
    assert ("signals per second", "500") in figure_rows(GOOD)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"accepted": 999}, "1 signals were not accepted"),
        ({"refused": ("abc: invalid_event, no",)}, "emit refused abc: invalid_event, no"),
        ({"stored": 990}, "10 signals are not stored"),
        ({"rows": 1002}, "2 rows of the source were never sent"),
        ({"unchecked": 5}, "5 records are not processed by both groups"),
        ({"found_anomalies": 88, "outbox_rows": 88}, "2 anomalies are not found"),
        ({"other_anomalies": 1, "outbox_rows": 91}, "1 anomalies are found that the rules do not say"),
        ({"outbox_rows": 89}, "1 anomalies have no outbox row"),
        ({"outbox_rows": 91}, "1 outbox rows are more than the anomalies"),
        ({"published": 80}, "10 events are not on anomaly-events"),
        ({"confirmed": 89}, "1 events are not confirmed"),
    ],
)
def test_each_lack_is_named_with_its_number(changes: dict[str, Any], sentence: str) -> None:
    """Whatever is not as it must be is said in a sentence that begins with how many."""
    assert any(problem.startswith(sentence) for problem in problems(replace(GOOD, **changes)))
