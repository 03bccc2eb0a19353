"""Reading a function's answer."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.trigger.verdicts import Answer, read_answer, status_behind_gateway


def read(status: int, body: bytes = b"", *, events: int = 3) -> Answer:
    """Read an answer to a batch."""
    return read_answer(status=status, body=body, events=events, batch=True, retry_after_seconds=0)


def multi(*results: object) -> bytes:
    """Return the body of a 207."""
    return orjson.dumps({"results": results})


@pytest.mark.parametrize("status", [200, 202, 204])
def test_success_makes_every_event_durable(status: int) -> None:
    """200, 202 and 204 leave nothing to do, whatever the body."""
    assert read(status, b"garbage") == Answer()


@pytest.mark.parametrize(
    ("status", "named", "expected"),
    [
        (400, None, "invalid"),
        (413, None, "invalid"),
        (415, None, "invalid"),
        (422, None, "invalid"),
        (422, "rejected", "rejected"),
        (422, "dependency", "invalid"),
        (301, None, "endpoint"),
        (307, "invalid", "endpoint"),
        (401, None, "endpoint"),
        (403, None, "endpoint"),
        (404, "invalid", "endpoint"),
        (405, None, "endpoint"),
        (410, None, "endpoint"),
        (429, None, "overload"),
        (503, None, "dependency"),
        (503, "contention", "contention"),
        (503, "overload", "overload"),
        (503, "invalid", "dependency"),
        (502, None, "dependency"),
        (504, None, "dependency"),
        (500, None, "unexpected"),
        (500, "invalid", "unexpected"),
        (409, None, "unexpected"),
        (201, None, "unexpected"),
        (599, None, "unexpected"),
    ],
)
def test_a_failed_delivery_has_the_class_of_its_status(status: int, named: str | None, expected: str) -> None:
    """The class that a function names counts where it fits the status."""
    answer = read(status, orjson.dumps({"class": named, "code": "x", "detail": "why"}))
    assert answer.whole is not None
    assert answer.whole.failure_class == FailureClass(expected)
    assert answer.refuses_batches == (status == 415)


def test_a_multi_status_names_the_failed_events() -> None:
    """Events that are not listed are durable."""
    answer = read(207, multi({"index": 1, "status": 422, "class": "rejected", "code": "22003", "detail": "too large"}))
    assert answer.whole is None
    assert set(answer.failures) == {1}
    assert (answer.failures[1].failure_class, answer.failures[1].code) == (FailureClass.REJECTED, "22003")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"results":[]}',
        b'{"results":{}}',
        multi(None),
        multi({"index": 3, "status": 400}),
        multi({"index": -1, "status": 400}),
        multi({"index": True, "status": 400}),
        multi({"index": "0", "status": 400}),
        multi({"index": 0, "status": 400}, {"index": 0, "status": 400}),
        multi({"index": 0, "status": 200}),
        multi({"index": 0}),
    ],
)
def test_a_multi_status_that_contradicts_itself_is_unreadable(body: bytes) -> None:
    """Nothing is taken as durable on the word of an answer that makes no sense."""
    answer = read(207, body)
    assert answer.whole is not None
    assert (answer.whole.failure_class, answer.whole.code) == (FailureClass.UNEXPECTED, "unreadable_answer")


@given(st.integers(200, 599), st.binary(max_size=50))
def test_no_answer_breaks_the_reader(status: int, body: bytes) -> None:
    """Any status with any body has a meaning."""
    assert isinstance(read(status, body), Answer)


@pytest.mark.parametrize(
    ("status", "body", "meant"),
    [
        (500, b"Can't reach service for: process-signal.", 503),
        (500, b"error finding function process-signal: cannot scale", 503),
        (500, b'{"detail": "a fault of the function"}', 500),
        (500, b"x" * 1000 + b"Can't reach service for: x", 500),
        (404, b"Can't reach service for: process-signal.", 404),
        (200, b"Can't reach service for: process-signal.", 200),
    ],
)
def test_a_gateway_that_cannot_reach_a_function_says_nothing_about_the_event(
    status: int, body: bytes, meant: int
) -> None:
    """Its 500 means a dependency that is away; any other answer is the function's own."""
    assert status_behind_gateway(status, body) == meant
