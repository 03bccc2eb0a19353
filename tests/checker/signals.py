"""I1 to I4: every event that was accepted is stored, once, as it was sent, and nothing else is."""

from collections.abc import Iterator

from tests.checker.case import Case
from tests.checker.letters import identities
from tests.checker.model import Outcome, Row, Sent, Version
from tests.checker.report import Finding
from tests.checker.versions import identity_of, same_json

__all__ = ["altered", "doubled", "lost", "phantoms"]


def lost(case: Case) -> Iterator[Finding | None]:
    """I1: each acknowledged event is stored, a dead letter, or in quarantine."""
    dead = identities((*case.snapshot.dead, *case.snapshot.quarantined))
    for row_id, events in case.events.items():
        acknowledged = [sent.number for sent in events if sent.outcome is Outcome.OK]
        if not acknowledged:
            continue
        if row_id in case.rows or row_id in dead:
            yield None
        else:
            yield Finding(
                invariant="I1", subject=str(row_id), detail=f"attempt {acknowledged[0]} was accepted, is lost"
            )


def doubled(case: Case) -> Iterator[Finding | None]:
    """I2: one row per identity, under the id that the identity has."""
    seen: set[tuple[str | None, str]] = set()
    for row in case.snapshot.rows:
        own_id = (row.extensions or {}).get("id")
        identity = (None, str(row.id)) if own_id is None else (row.source, own_id)
        if identity in seen:
            yield Finding(invariant="I2", subject=str(row.id), detail="a second row of the same event")
        elif own_id is not None and identity_of(row.source or "", own_id) != row.id:
            yield Finding(invariant="I2", subject=str(row.id), detail=f"not the id of event {own_id!r}")
        else:
            yield None
        seen.add(identity)


def phantoms(case: Case) -> Iterator[Finding | None]:
    """I3: each row was sent, and not definitely refused."""
    for row in case.snapshot.rows:
        events = case.events.get(row.id)
        if events is None:
            if row.source in case.own_sources:
                yield Finding(invariant="I3", subject=str(row.id), detail="was never sent")
        elif not case.possible(events):
            yield Finding(invariant="I3", subject=str(row.id), detail="was answered with a failure, yet is stored")
        else:
            yield None


def altered(case: Case) -> Iterator[Finding | None]:
    """I4: each row equals a sent version, and of the versions surely accepted none is later."""
    for row in case.snapshot.rows:
        events = case.possible(case.events.get(row.id, []))
        if not events:
            continue
        differences = [_difference(row, sent.version) for sent in events if sent.version]
        if all(differences):
            yield Finding(invariant="I4", subject=str(row.id), detail=f"differs from what was sent: {differences[0]}")
        elif _is_outdated(row, events):
            yield Finding(invariant="I4", subject=str(row.id), detail="a later version was accepted and is not stored")
        else:
            yield None


def _difference(row: Row, version: Version) -> str:
    """Return the columns in which a row differs from a version; empty when it does not."""
    extensions = row.extensions or {}
    kept = all(_text(extensions.get(name)) == _text(value) for name, value in version.extensions.items())
    equal = {
        "source": row.source == version.source,
        "type": row.type == version.type,
        "user_id": row.user_id == version.user_id,
        "event_ts": version.time in {None, row.event_ts},
        "payload": same_json(row.payload, version.payload),
        "extensions": kept,
    }
    return ", ".join(name for name, same in equal.items() if not same)


def _text(value: object) -> str:
    # In binary mode an attribute travels as text: true and 5 arrive as "true" and "5".
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_outdated(row: Row, events: list[Sent]) -> bool:
    times = [
        sent.version.time
        for sent in events
        if sent.outcome is Outcome.OK and sent.version and sent.version.source == row.source and sent.version.time
    ]
    return row.event_ts is not None and any(time > row.event_ts for time in times)
