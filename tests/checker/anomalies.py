"""I6 to I8: anomalies are what the rules say, each has one outbox row, and each outbox row one event."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from uuid import UUID, uuid5

from tests.checker.case import Case
from tests.checker.model import OutboxRow, RawRecord, Row, Sent
from tests.checker.report import Finding
from tests.checker.rules import rules_of
from tests.checker.versions import same_json

__all__ = ["unpaired", "unpublished", "wrong_anomalies"]


def wrong_anomalies(case: Case) -> Iterator[Finding | None]:
    """I6: anomalies equal the recomputation of the rules over all accepted versions."""
    found: dict[UUID, set[str]] = defaultdict(set)
    for anomaly in case.snapshot.anomalies:
        found[anomaly.signal_id].add(anomaly.rule)
        if anomaly.id != uuid5(anomaly.signal_id, anomaly.rule):
            yield Finding(invariant="I6", subject=str(anomaly.id), detail="not the id of its signal and rule")
    for row in case.snapshot.rows:
        present = found.pop(row.id, set())
        must = set[str]().union(*map(_rules_of_row, case.accepted(row)))
        may = must.union(*(_rules_of_sent(sent, row) for sent in case.possible(case.events.get(row.id, []))))
        missing, excess = must - present, present - may
        if missing or excess:
            detail = f"missing {sorted(missing)}, without reason {sorted(excess)}"
            yield Finding(invariant="I6", subject=str(row.id), detail=detail)
        else:
            yield None
    for signal_id in found:
        yield Finding(invariant="I6", subject=str(signal_id), detail="has anomalies and no row")


def _rules_of_row(row: Row) -> set[str]:
    return rules_of(signal_type=row.type, payload=row.payload, time=row.event_ts)


def _rules_of_sent(sent: Sent, row: Row) -> set[str]:
    version = sent.version
    if version is None:
        return set()
    return rules_of(signal_type=version.type, payload=version.payload, time=version.time or row.event_ts)


def unpaired(case: Case) -> Iterator[Finding | None]:
    """I7: each anomaly has exactly one outbox row, and each outbox row an anomaly."""
    rows = Counter(row.aggregate_id for row in case.snapshot.outbox)
    for anomaly in case.snapshot.anomalies:
        count = rows.pop(str(anomaly.id), 0)
        if count == 1:
            yield None
        else:
            yield Finding(invariant="I7", subject=str(anomaly.id), detail=f"has {count} outbox rows")
    for aggregate_id in rows:
        yield Finding(invariant="I7", subject=aggregate_id, detail="an outbox row without its anomaly")


def unpublished(case: Case) -> Iterator[Finding | None]:
    """I8: outbox ids equal the distinct ids on the topic, contents too; stamped when that is asked."""
    if case.snapshot.published is None:
        return
    events = {_event_id(record): record for record in case.snapshot.published}
    for row in case.snapshot.outbox:
        detail = _flaw(row, events.pop(str(row.id), None), stamped=case.stamped)
        yield Finding(invariant="I8", subject=str(row.id), detail=detail) if detail else None
    for event_id, record in events.items():
        if _signal_of(record) in case.events:
            yield Finding(invariant="I8", subject=event_id, detail="an anomaly event without its outbox row")


def _flaw(row: OutboxRow, event: RawRecord | None, *, stamped: bool) -> str:
    if event is None:
        return "not on the topic"
    if event.key != row.aggregate_id.encode():
        return "its event has another key than the anomaly"
    if not same_json(json.loads(event.value or b"null"), row.payload):
        return "its event differs from it"
    return "not stamped as published" if stamped and not row.stamped else ""


def _event_id(record: RawRecord) -> str:
    return (dict(record.headers).get("ce_id") or b"").decode(errors="replace")


def _signal_of(record: RawRecord) -> UUID | None:
    try:
        return UUID(json.loads(record.value or b"")["signal_event_id"])
    except (ValueError, KeyError, TypeError):
        return None
