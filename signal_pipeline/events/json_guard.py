"""Strict JSON: what PostgreSQL's jsonb cannot keep exactly is refused before it gets there.

Rules:
1. UTF-8 without a byte order mark; no lone surrogate, no U+0000.
2. No NaN or Infinity, no exponent beyond +-308, no integer over 308 digits; integers keep every digit.
3. No duplicate key in an object.
4. No nesting deeper than 32.

A document that orjson writes back byte for byte obeys 2 and 3 by construction, which is what our own producers send;
only other documents pay for the slow check.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import orjson

from signal_pipeline.errors import InvalidEvent

__all__ = ["MAX_DEPTH", "check_value", "dump_json", "load_json"]

MAX_DEPTH: Final = 32
_MAX_DIGITS: Final = 308  # the exponent range of a double; jsonb would store 1e9999 as ten thousand digits
_EXPONENT: Final = re.compile(r"[eE]([+-]?\d+)$")


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
    exponent = _EXPONENT.search(text)
    number = float(text)
    # Comparing lengths first keeps int() away from exponents of thousands of digits.
    if exponent and (len(exponent[1]) > len("+0308") or abs(int(exponent[1])) > _MAX_DIGITS):
        return _Flaw("number_out_of_range", f"a number has an exponent beyond {_MAX_DIGITS}")
    if number in (float("inf"), float("-inf")):
        return _Flaw("number_out_of_range", "a number is too large")
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
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return _load_leniently(raw), False
    plain = b"\\u0000" not in raw and orjson.dumps(value) == raw
    return (value, True) if plain else (_load_leniently(raw), False)


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


def check_value(value: Any, *, plain: bool = False) -> None:
    """Refuse a parsed value that breaks a rule.

    Args:
        value: Parsed JSON.
        plain: What `load_json` said of the document: only nesting is left to check.

    Raises:
        InvalidEvent: with the code of the first rule that is broken.
    """
    for item, depth in _walk(value):
        if depth > MAX_DEPTH:
            raise InvalidEvent(f"JSON is nested deeper than {MAX_DEPTH}", code="too_deep")
        if plain:
            continue
        if isinstance(item, _Flaw):
            raise InvalidEvent(item.detail, code=item.code)
        if isinstance(item, str):
            _check_text(item)


def _walk(value: Any) -> Iterator[tuple[Any, int]]:
    """Yield every value and key with the number of containers around and including it; no recursion."""
    pending = [(value, 0)]
    while pending:
        item, depth = pending.pop()
        if isinstance(item, dict):
            yield item, depth + 1
            for key, child in item.items():
                yield key, depth + 1
                pending.append((child, depth + 1))
        elif isinstance(item, list):
            yield item, depth + 1
            pending.extend((child, depth + 1) for child in item)
        else:
            yield item, depth


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
