"""The ledger of a sender: JSON lines, written to disk before an attempt and after its result.

    {"attempt": 7, "at": 1764000000.5, "event": {CloudEvent in JSON format}}
    {"attempt": 8, "at": …, "record": {"key_base64", "value_base64", "headers": [[name, base64]]}, "poison": true}
    {"result": 7, "outcome": "ok"}
    {"result": 8, "outcome": "ok", "position": ["signal-events", 3, 41]}

An attempt without a result is unknown: the sender died between the two, or the pipeline did. A torn last line is
what a killed sender leaves, and is ignored.
"""

import base64
import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self

from tests.checker.model import Outcome, Position, RawRecord, Sent
from tests.checker.versions import version_of

__all__ = ["LedgerWriter", "load_ledger"]


class LedgerWriter:
    """Writes a ledger; each call returns after its lines reached the disk. Use as a context manager.

    Several threads may write to it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("a", encoding="utf-8")
        self._numbers = count(1)
        self._lock = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._file.close()

    def attempt_events(self, events: Iterable[Mapping[str, Any]]) -> list[int]:
        """Note events that are about to be sent to emit; returns their numbers."""
        return self._attempt([{"event": dict(event)} for event in events])

    def attempt_records(self, records: Iterable[tuple[RawRecord, Mapping[str, Any] | None]]) -> list[int]:
        """Note records that are about to be written to Kafka directly; returns their numbers.

        Args:
            records: Each record with the event that it is; None when it is none, and must end as a dead letter.
        """
        return self._attempt([_entry(record, event) for record, event in records])

    def result(self, numbers: Iterable[int], outcome: Outcome) -> None:
        """Note the one outcome of several attempts."""
        self.results((number, outcome, None) for number in numbers)

    def results(self, results: Iterable[tuple[int, Outcome, Position | None]]) -> None:
        """Note what came of attempts, and where a record was placed."""
        self._write([_result(number, outcome, position) for number, outcome, position in results])

    def _attempt(self, entries: list[dict[str, Any]]) -> list[int]:
        numbers = [next(self._numbers) for _ in entries]
        now = time.time()
        self._write([{"attempt": n, "at": now, **entry} for n, entry in zip(numbers, entries, strict=True)])
        return numbers

    def _write(self, lines: list[dict[str, Any]]) -> None:
        with self._lock:
            self._file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
            self._file.flush()
            os.fsync(self._file.fileno())


def load_ledger(path: Path) -> tuple[Sent, ...]:
    """Read a ledger; `ValueError` names the line that is none."""
    attempts: dict[int, dict[str, Any]] = {}
    results: dict[int, dict[str, Any]] = {}
    lines = path.read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines[:-1], start=1):  # the last one is empty, or torn
        try:
            entry = json.loads(line)
            (attempts if "attempt" in entry else results)[entry.get("attempt") or entry["result"]] = entry
        except (ValueError, KeyError) as exc:
            raise ValueError(f"{path}, line {number} is no line of a ledger") from exc
    return tuple(_sent(number, entry, results.get(number, {})) for number, entry in attempts.items())


def _entry(record: RawRecord, event: Mapping[str, Any] | None) -> dict[str, Any]:
    encoded = {
        "key_base64": _encoded(record.key),
        "value_base64": _encoded(record.value),
        "headers": [[name, _encoded(content)] for name, content in record.headers],
    }
    return {"record": encoded, **({"poison": True} if event is None else {"event": dict(event)})}


def _result(number: int, outcome: Outcome, position: Position | None) -> dict[str, Any]:
    placed = {} if position is None else {"position": [position.topic, position.partition, position.offset]}
    return {"result": number, "outcome": outcome, **placed}


def _sent(number: int, entry: Mapping[str, Any], result: Mapping[str, Any]) -> Sent:
    position = result.get("position")
    return Sent(
        number=number,
        outcome=Outcome(result.get("outcome", Outcome.UNKNOWN)),
        version=version_of(entry["event"]) if "event" in entry else None,
        record=_record(entry["record"], position) if "record" in entry else None,
        poison=entry.get("poison", False),
    )


def _record(entry: Mapping[str, Any], position: Sequence[Any] | None) -> RawRecord:
    return RawRecord(
        key=_decoded(entry["key_base64"]),
        value=_decoded(entry["value_base64"]),
        headers=tuple((name, _decoded(content)) for name, content in entry["headers"]),
        position=Position(topic=position[0], partition=position[1], offset=position[2]) if position else None,
    )


def _encoded(raw: bytes | None) -> str | None:
    return None if raw is None else base64.b64encode(raw).decode()


def _decoded(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)
