"""Strict JSON: what jsonb cannot keep exactly is refused, everything else comes back equal."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signal_pipeline.errors import InvalidEvent
from signal_pipeline.events.json_guard import MAX_DEPTH, check_value, dump_json, load_json


def parsed(raw: bytes) -> Any:
    """Load and check a document, as every reader of the product does."""
    value, plain = load_json(raw)
    check_value(value, plain=plain)
    return value


def refusal(raw: bytes) -> str:
    """Return the code with which a document is refused."""
    with pytest.raises(InvalidEvent) as caught:
        parsed(raw)
    return caught.value.failure.code


def nested(levels: int) -> bytes:
    """Return lists within lists."""
    return b"[" * levels + b"]" * levels


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b"{} {}", "not_json"),
        (b"[1,]", "not_json"),
        (b"'text'", "not_json"),
        (b"\xef\xbb\xbf{}", "not_json"),
        (b"\xff\xfe{\x00}\x00", "not_utf8"),
        (b'"\xff"', "not_utf8"),
        (b'"\xed\xa0\x80"', "not_utf8"),
        (b"NaN", "number_not_finite"),
        (b'{"a":[Infinity]}', "number_not_finite"),
        (b'{"a":{"b":-Infinity}}', "number_not_finite"),
        (b'{"a":1,"a":1}', "duplicate_key"),
        (b'[[{"x":{"a":1,"b":2,"a":3}}]]', "duplicate_key"),
        (b'{"a":1,"\\u0061":2}', "duplicate_key"),
        (b"1" * 309, "number_out_of_range"),
        (b"-" + b"1" * 5000, "number_out_of_range"),
        (b"1e200000", "number_out_of_range"),
        (b"-1e309", "number_out_of_range"),
        (b"1e-400", "number_out_of_range"),
        (b"1e" + b"9" * 5000, "number_out_of_range"),
        (b"0." + b"0" * 400 + b"1", "number_out_of_range"),
        (b'"\\u0000"', "nul_character"),
        (b'{"a\\u0000":1}', "nul_character"),
        (b'["\\ud800"]', "lone_surrogate"),
        (b'{"\\udc00":1}', "lone_surrogate"),
        (b'"\\ude00\\ud83d"', "lone_surrogate"),
    ],
)
def test_refuses_what_jsonb_cannot_keep(raw: bytes, code: str) -> None:
    """A document that breaks a rule is refused, and the code says which."""
    assert refusal(raw) == code


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b'"\\\\u0000"', "\\u0000"),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'" \xc3\xa9"', " é"),
        (b"1" * 308, int("1" * 308)),
        (b'{"n":18446744073709551616}', {"n": 2**64}),
        (b"-9007199254740993", -9007199254740993),
        (b"1e308", 1e308),
        (b"5e-324", 5e-324),
        (b" 5e-324", 5e-324),
        (b"0e-400", 0.0),
        (b"-0.0", -0.0),
        (b"null", None),
        (b'{"__proto__":{"$gt":""}}', {"__proto__": {"$gt": ""}}),
    ],
)
def test_accepts_what_only_looks_dangerous(raw: bytes, value: Any) -> None:
    r"""The six characters `\u0000`, a surrogate pair, big integers and the smallest double are ordinary values."""
    assert parsed(raw) == value


@pytest.mark.parametrize("levels", [33, 253, 255, 1000, 1024, 1025, 10_000])
@pytest.mark.parametrize("space", [b"", b" "])
def test_refuses_deep_nesting(levels: int, space: bytes) -> None:
    """Whatever gives up first, a parser or the check, nesting over 32 is refused by one code, never an error."""
    assert refusal(nested(levels) + space) == "too_deep"


@pytest.mark.parametrize("space", [b"", b" "])
def test_accepts_nesting_up_to_the_limit(space: bytes) -> None:
    """Exactly 32 levels are accepted, whether or not the document takes the slow path."""
    value = parsed(nested(32) + space)
    for _ in range(MAX_DEPTH - 1):
        (value,) = value
    assert value == []


def test_a_flaw_stays_inside_its_part() -> None:
    """Each element of a list can be judged by itself: the neighbours of a bad one are usable."""
    values, plain = load_json(b'[{"a":1}, NaN, {"b":1,"b":2}, "\\u0000", {"c":2}]')
    assert not plain
    assert [values[0], values[4]] == [{"a": 1}, {"c": 2}]
    for good in (0, 4):
        check_value(values[good])
    for bad in (1, 2, 3):
        with pytest.raises(InvalidEvent):
            check_value(values[bad])


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        (b'{"a":[1,2.5,"x"]}', True),
        (b'{"a": [1, 2.5, "x"]}', True),
        (b'{"a": "\\u00e9"}', True),
        (b'{"a": "\\u0000"}', False),
        (b'{"a" : 1}', False),
        (b'{"a": 1e5}', False),
        (b'{"a": 18446744073709551616}', False),
        (b'{"a": 1, "a": 1}', False),
        (b'{"a": 0.1000}', False),
    ],
)
def test_knows_the_usual_writers(raw: bytes, plain: bool) -> None:  # noqa: FBT001 - an expected value
    """Compact JSON and what Python's json writes skip the slow check; anything unusual takes it."""
    assert load_json(raw)[1] is plain


_HOSTILE: dict[str, Callable[[int], bytes]] = {
    "nested": lambda size: b"[" * size,
    "escapes": lambda size: b'"' + b"\\u0000" * (size // 6) + b'"',
    "integer": lambda size: b"1" * size,
    "fraction": lambda size: b"0." + b"1" * size,
    "exponent": lambda size: b"1e" + b"1" * size,
    "keys": lambda size: b"{" + b",".join(b'"%d": 1' % number for number in range(size // 14)) + b"}",
    "too-large": lambda size: b"[" + b"1e400," * (size // 6) + b"0]",
}


def judging_seconds(raw: bytes) -> float:
    """Return the processor time that a document costs."""
    started = time.process_time()
    with suppress(InvalidEvent):
        parsed(raw)
    return time.process_time() - started


@pytest.mark.parametrize("shape", _HOSTILE)
def test_big_documents_are_judged_in_linear_time(shape: str) -> None:
    """A document 32 times as large costs some 32 times as much, whatever it is made of, and not 1,024 times."""
    small, large = (judging_seconds(_HOSTILE[shape](size)) for size in (128 * 1024, 4 * 1024**2))
    assert large < 200 * small + 0.2  # linear is 32 times; the rest is for a clock of 10 ms and a busy machine


_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
_SCALARS = (
    st.none() | st.booleans() | st.integers(-(10**300), 10**300) | st.floats(allow_nan=False, allow_infinity=False)
)
_JSON = st.recursive(
    _SCALARS | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(_JSON, st.booleans(), st.sampled_from([None, (",", ":"), (" , ", " : ")]))
def test_whatever_python_writes_comes_back(value: Any, ascii_only: bool, separators: Any) -> None:  # noqa: FBT001
    """Every value that obeys the rules is accepted and comes back equal, in any spelling."""
    raw = json.dumps(value, ensure_ascii=ascii_only, separators=separators).encode()
    assert parsed(raw) == value


@given(_JSON)
def test_both_paths_agree(value: Any) -> None:
    """The fast and the slow path give the same value and write the same text."""
    compact = dump_json(value)
    fast, slow = parsed(compact), parsed(compact + b" ")
    assert fast == slow == value
    assert dump_json(fast) == dump_json(slow) == compact


@given(st.binary(max_size=60))
def test_any_bytes_give_a_value_or_a_refusal(raw: bytes) -> None:
    """No input raises anything but the one error that is answered as a refusal."""
    with suppress(InvalidEvent):
        parsed(raw)


@pytest.mark.parametrize("value", [b"[]", b"{}", b"0.5", b"[[[]]]", b'"a"', b'{"a":1}'])
@pytest.mark.parametrize("separator", [b",", b", "])
def test_masses_of_values(value: bytes, separator: bytes) -> None:
    """A document of 200,001 values is refused before it is parsed, whatever the values are."""
    with pytest.raises(InvalidEvent) as refused:
        load_json(b"[" + separator.join([value] * 200_001) + b"]")
    assert (refused.value.failure.code, refused.value.failure.http_status) == ("too_many_values", 413)


def test_masses_of_text() -> None:
    """Commas, brackets and escaped quotes inside of a string are text: a long one with a million of them is taken."""
    text = json.dumps(['1,[{\\",' * 300_000, "a"]).encode()
    assert load_json(text)[0][1] == "a"
