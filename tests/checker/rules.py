"""The anomaly rules, written a second time from the specification.

number          the last run of digits in a string
high_data_value         number of `data` > 96
low_data_value          number of `data` < 5
suspicious_session      at most 2 different digits in `session_id`
unusual_time_activity   an `api_call` whose UTC hour is < 6 or > 22
No digits, or no string where one is expected: no anomaly.
"""

from datetime import UTC, datetime
from typing import Any

__all__ = ["rules_of"]

_DIGITS = frozenset("0123456789")


def rules_of(*, signal_type: str | None, payload: Any, time: datetime | None) -> set[str]:
    """Return the names of the rules that a signal breaks; without a time, no rule about time is broken."""
    fields = payload if isinstance(payload, dict) else {}
    found = set()
    number = _last_number(fields.get("data"))
    if number is not None and number > 96:
        found.add("high_data_value")
    if number is not None and number < 5:
        found.add("low_data_value")
    digits = _digits(fields.get("session_id"))
    if 1 <= len(digits) <= 2:
        found.add("suspicious_session")
    if signal_type == "api_call" and time is not None and not 6 <= time.astimezone(UTC).hour <= 22:
        found.add("unusual_time_activity")
    return found


def _digits(text: Any) -> set[str]:
    return set(text) & _DIGITS if isinstance(text, str) else set()


def _last_number(text: Any) -> int | None:
    if not isinstance(text, str):
        return None
    run = ""
    for character in reversed(text):
        if character in _DIGITS:
            run = character + run
        elif run:
            break
    # No rule tells numbers of four and of four thousand digits apart, and int() refuses the latter.
    return int(run.lstrip("0")[:4] or "0") if run else None
