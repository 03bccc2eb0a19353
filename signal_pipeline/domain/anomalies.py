"""The anomaly rules, as a table. A new rule is one entry here and one test.

Rules:
1. "Number" is the last run of digits in a string; a string without digits breaks no rule.
2. Every rule looks at one signal alone and never at the clock.
3. An anomaly's id follows from the signal and the rule, so that finding it again changes nothing.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid5

from signal_pipeline.domain.signals import Signal
from signal_pipeline.domain.trace_ids import sound_correlation_id, sound_traceparent

__all__ = ["RULES", "Anomaly", "Rule", "anomalies_of", "select_rules"]

_DIGIT_RUNS: Final = re.compile(r"[0-9]+")
_DIGIT: Final = re.compile(r"[0-9]")
_NUMBER_DIGITS: Final = 18  # longer numbers exceed every threshold; converting them would cost quadratic time
_HIGH_DATA_VALUE: Final = 96
_LOW_DATA_VALUE: Final = 5
_FEWEST_SESSION_DIGITS: Final = 3
_FIRST_USUAL_HOUR: Final = 6
_LAST_USUAL_HOUR: Final = 22


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One anomaly rule.

    Attributes:
        name: The anomaly's type.
        severity: 1 is the lowest.
        breaks: Whether a signal breaks the rule.
    """

    name: str
    severity: int
    breaks: Callable[[Signal], bool]


@dataclass(frozen=True, kw_only=True, slots=True)
class Anomaly:
    """A signal that broke a rule.

    Attributes:
        id: Derived from signal and rule.
        user_id: The signal's user.
        anomaly_type: Name of the rule.
        severity: Severity of the rule.
        signal_event_id: The signal.
        context_json: `{"original_signal": …, "rule": …}` with the signal as the rule saw it and the ids of its
            request.
    """

    id: UUID
    user_id: str | None
    anomaly_type: str
    severity: int
    signal_event_id: UUID
    context_json: str


def _text(signal: Signal, key: str) -> str:
    value = signal.payload.get(key) if isinstance(signal.payload, dict) else None
    return value if isinstance(value, str) else ""


def _data_number(signal: Signal) -> int | None:
    runs = _DIGIT_RUNS.findall(_text(signal, "data"))
    return int((runs[-1].lstrip("0") or "0")[:_NUMBER_DIGITS]) if runs else None


def _high_data_value(signal: Signal) -> bool:
    number = _data_number(signal)
    return number is not None and number > _HIGH_DATA_VALUE


def _low_data_value(signal: Signal) -> bool:
    number = _data_number(signal)
    return number is not None and number < _LOW_DATA_VALUE


def _suspicious_session(signal: Signal) -> bool:
    different = set(_DIGIT.findall(_text(signal, "session_id")))
    return 0 < len(different) < _FEWEST_SESSION_DIGITS


def _unusual_time_activity(signal: Signal) -> bool:
    hour = signal.event_ts.hour
    return signal.type == "api_call" and (hour < _FIRST_USUAL_HOUR or hour > _LAST_USUAL_HOUR)


RULES: tuple[Rule, ...] = (
    Rule(name="high_data_value", severity=1, breaks=_high_data_value),
    Rule(name="low_data_value", severity=1, breaks=_low_data_value),
    Rule(name="suspicious_session", severity=1, breaks=_suspicious_session),
    Rule(name="unusual_time_activity", severity=1, breaks=_unusual_time_activity),
)


def select_rules(names: str) -> tuple[Rule, ...]:
    """Return the rules of a comma-separated list, all when it is empty; `ValueError` names an unknown one."""
    wanted = {name.strip() for name in names.split(",") if name.strip()}
    unknown = wanted - {rule.name for rule in RULES}
    if unknown:
        known = ", ".join(rule.name for rule in RULES)
        raise ValueError(f"no such rule: {', '.join(sorted(unknown))}; the rules are {known}")
    return tuple(rule for rule in RULES if not wanted or rule.name in wanted)


def anomalies_of(signal: Signal, rules: Sequence[Rule] = RULES) -> list[Anomaly]:
    """Return the anomalies of one signal, in the order of the rules."""
    return [_anomaly(signal, rule) for rule in rules if rule.breaks(signal)]


def _anomaly(signal: Signal, rule: Rule) -> Anomaly:
    return Anomaly(
        id=uuid5(signal.id, rule.name),
        user_id=signal.user_id,
        anomaly_type=rule.name,
        severity=rule.severity,
        signal_event_id=signal.id,
        context_json=_context(signal, rule),
    )


def _request_ids(signal: Signal) -> dict[str, str]:
    """Return the ids by which the signal's request is followed further, under the names of its extensions."""
    said = json.loads(signal.extensions_json) if signal.extensions_json else {}
    ids = {
        "correlationid": sound_correlation_id(said.get("correlationid")),
        "traceparent": sound_traceparent(said.get("traceparent")),
    }
    return {name: value for name, value in ids.items() if value is not None}


def _context(signal: Signal, rule: Rule) -> str:
    original = {
        "id": str(signal.id),
        "user_id": signal.user_id,
        "source": signal.source,
        "type": signal.type,
        "event_ts": signal.event_ts.isoformat(),
        **_request_ids(signal),
    }
    head = json.dumps(original, ensure_ascii=False)[:-1]
    # The payload's own text is embedded, so that its numbers keep every digit.
    return f'{{"original_signal":{head},"payload":{signal.payload_json or "null"}}},"rule":{json.dumps(rule.name)}}}'
