"""Strict JSON: what PostgreSQL's jsonb cannot keep exactly is refused before it gets there.

Rules:
1. UTF-8 without a byte order mark; no lone surrogate, no U+0000.
2. No NaN or Infinity, no number that a double cannot hold, no integer over 308 digits; integers keep every digit.
3. No duplicate key in an object.
4. No nesting deeper than 32.
5. No more than 200,000 values: each becomes an object of 50 bytes and more, however few bytes it had. A document that
   is long enough to break this rule is counted before it is parsed.

A document that a usual writer would write back byte for byte obeys 1 to 3 by construction. That is what nearly every
producer sends; only other documents pay for the slow check.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import orjson

from signal_pipeline.errors import InvalidEvent, PayloadTooLarge

__all__ = ["MAX_DEPTH", "check_value", "dump_json", "load_json"]

MAX_DEPTH: Final = 32
_MAX_DIGITS: Final = 308  # as many as the largest double has; int() of thousands of digits takes quadratic time
_MAX_VALUES: Final = 200_000  # twenty for each event of the largest batch
_VALUE_BYTES: Final = 2  # the least that a value needs: a digit and a comma, or two brackets
_MAX_PYTHON_BYTES: Final = 512 * 1024  # beyond, trying Python's writer and failing would double the time of an attack
_PIECE: Final = 64 * 1024
# Possessive: neither gives back what it took, so that a string without an end takes linear time, too.
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_WHOLE_STRINGS: Final = re.compile(rb'[^"]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"]*+)*+', re.DOTALL)
_CONTAINERS: Final = (dict, list)


class _Flaw:
    """Stands in a parsed document where a value broke a rule, so that only the event around it is refused."""

    __slots__ = ("code", "detail")

    def __init__(self, code: str, detail: str) -> None:
        self.code = code
        self.detail = detail


def _integer(text: str) -> int | _Flaw:
    if len(text.lstrip("-")) > _MAX_DIGITS:
        return _Flaw("number_out_of_range", f"an integer has more than {_MAX_DIGITS} digits")
    return int(text)


def _decimal(text: str) -> float | _Flaw:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        return _Flaw("number_out_of_range", "a number is too large")
    # 1e-400 is not zero, though a double says so: "-0.00e-400" leaves nothing of its digits, "1e-400" leaves the 1.
    if number == 0 and text.lower().partition("e")[0].strip("-0."):
        return _Flaw("number_out_of_range", "a number is too small")
    return number


def _constant(text: str) -> _Flaw:
    return _Flaw("number_not_finite", f"{text} is not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Flaw:
    value = dict(pairs)
    if len(value) != len(pairs):
        return _Flaw("duplicate_key", "an object has the same key twice")
    return value


def load_json(raw: bytes) -> tuple[Any, bool]:
    """Parse a JSON document.

    Returns:
        The value, and whether it obeys rules 1 to 3 by construction. If it does not, `check_value` must be called on
        each part that is to be judged by itself: values that broke a rule are still inside.

    Raises:
        InvalidEvent: `raw` is not JSON at all: syntax, encoding, or nested too deeply to parse.
        PayloadTooLarge: it has too many values.
    """
    if len(raw) > _MAX_VALUES * _VALUE_BYTES:
        _refuse_masses(raw)
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return _load_leniently(raw), False
    if b"\\u0000" not in raw and _is_usual_text(value, raw):
        return value, True
    del value  # a second one is made now
    return _load_leniently(raw), False


def _refuse_masses(raw: bytes) -> None:
    # Commas and brackets in strings are no values; only where they could make the difference they are told apart.
    if _values(raw) > _MAX_VALUES and sum(map(_values, _outside_strings(raw))) > _MAX_VALUES:
        raise PayloadTooLarge(f"JSON has more than {_MAX_VALUES} values", code="too_many_values")


def _outside_strings(raw: bytes) -> Iterator[bytes]:
    """Give what stands outside of strings, piece by piece: all at once it would cost more than it is to prevent."""
    start, size = 0, _PIECE
    while start < len(raw):
        whole = _WHOLE_STRINGS.match(raw, start, start + size)
        end = start if whole is None else whole.end()
        if end > start:
            yield _STRING.sub(b"", raw[start:end])
            start, size = end, _PIECE
        elif start + size >= len(raw):  # a string without an end: the parser will say so
            return
        else:
            size *= 2


def _values(raw: bytes) -> int:
    return raw.count(b",") + raw.count(b"[") + raw.count(b"{")


def _is_usual_text(value: Any, raw: bytes) -> bool:
    """Tell whether `raw` is what a usual writer makes of the value: compact UTF-8, or Python's own format.

    Duplicate keys, numbers that were rounded and digits that were dropped would all read back otherwise.
    """
    try:
        if orjson.dumps(value) == raw:
            return True
        return len(raw) <= _MAX_PYTHON_BYTES and json.dumps(value).encode() == raw
    except (TypeError, RecursionError):  # nested deeper than the writers go
        return False


def _load_leniently(raw: bytes) -> Any:
    try:
        text = raw.decode("utf-8")
        return json.loads(
            text, object_pairs_hook=_object, parse_int=_integer, parse_float=_decimal, parse_constant=_constant
        )
    except UnicodeDecodeError as exc:
        raise InvalidEvent("the body is not UTF-8", code="not_utf8") from exc
    except RecursionError as exc:
        raise InvalidEvent(f"JSON is nested deeper than {MAX_DEPTH}", code="too_deep") from exc
    except ValueError as exc:
        raise InvalidEvent("the body is not JSON", code="not_json") from exc


def check_value(value: Any, *, plain: bool = False, levels: int = MAX_DEPTH) -> None:
    """Refuse a parsed value that breaks a rule.

    Args:
        value: Parsed JSON.
        plain: What `load_json` said of the document: only nesting is left to check.
        levels: How deep containers may be nested; a scalar needs none.

    Raises:
        InvalidEvent: with the code of a rule that is broken.
    """
    if plain:
        _check_depth(value, levels)
    else:
        _check_everything(value, levels)


def _check_depth(value: Any, levels: int) -> None:
    # The recursion ends with the levels, so it is never deeper than they are.
    if not isinstance(value, _CONTAINERS):
        return
    if not levels:
        raise _too_deep()
    for child in value.values() if isinstance(value, dict) else value:
        if isinstance(child, _CONTAINERS):
            _check_depth(child, levels - 1)


def _check_everything(value: Any, levels: int) -> None:
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, _Flaw):
        raise InvalidEvent(value.detail, code=value.code)
    elif isinstance(value, _CONTAINERS):
        if not levels:
            raise _too_deep()
        if isinstance(value, dict):
            for key in value:
                _check_text(key)
        for child in value.values() if isinstance(value, dict) else value:
            _check_everything(child, levels - 1)


def _too_deep() -> InvalidEvent:
    return InvalidEvent(f"JSON is nested deeper than {MAX_DEPTH}", code="too_deep")


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise InvalidEvent("a string has the character U+0000", code="nul_character")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as exc:
            raise InvalidEvent("a string has a lone surrogate", code="lone_surrogate") from exc


def dump_json(value: Any) -> bytes:
    """Write a checked value as compact UTF-8 JSON; integers beyond 64 bits keep every digit."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
