"""I9: each poison record is one dead letter with its own bytes, and no healthy event is one."""

from collections import defaultdict
from collections.abc import Iterator

from tests.checker.case import Case
from tests.checker.letters import identity, keeps, origin
from tests.checker.model import Outcome, Position, RawRecord, Sent
from tests.checker.report import Finding

__all__ = ["altered_letters", "healthy_letters", "misplaced_poison"]


def misplaced_poison(case: Case) -> Iterator[Finding | None]:
    """I9: each poison record is exactly one dead letter, at most once in quarantine, and stored nowhere else."""
    dead, quarantined = _by_origin(case.snapshot.dead), _by_origin(case.snapshot.quarantined)
    for sent, record in _placed_poison(case):
        flaw = _flaw(case, len(dead.get(record, ())), len(quarantined.get(record, ())), record)
        yield Finding(invariant="I9", subject=_name(sent, record), detail=flaw) if flaw else None


def _flaw(case: Case, dead: int, quarantined: int, position: Position) -> str:
    if dead != 1:
        return f"is {dead} times in the dead-letter topic"
    if quarantined > 1:
        return f"is {quarantined} times in quarantine"
    recorded = case.snapshot.recorded.count(position)
    return f"is {recorded} times in table dead_letters" if case.recorded and recorded != 1 else ""


def altered_letters(case: Case) -> Iterator[Finding | None]:
    """I4: the bytes of a dead letter are the original's."""
    letters = _by_origin((*case.snapshot.dead, *case.snapshot.quarantined))
    for sent in case.sent:
        record = sent.record
        if record is None or record.position is None:
            continue
        for letter in letters.get(record.position, ()):
            same = keeps(letter, record)
            name = _name(sent, record.position)
            yield None if same else Finding(invariant="I4", subject=name, detail="its dead letter has other bytes")


def healthy_letters(case: Case) -> Iterator[Finding | None]:
    """I9: no healthy event is a dead letter, unless its identity belongs to another source's row."""
    poison = {position for _, position in _placed_poison(case)}
    dead = defaultdict(list)
    for letter in case.snapshot.dead:
        if origin(letter) not in poison:
            dead[identity(letter)].append(letter)
    for row_id, events in case.events.items():
        row = case.rows.get(row_id)
        sources = {sent.version.source for sent in events if sent.version and not sent.poison}
        if dead.get(row_id) and not (row and sources - {row.source}):
            yield Finding(invariant="I9", subject=str(row_id), detail="a healthy event is a dead letter")
        else:
            yield None


def _placed_poison(case: Case) -> Iterator[tuple[Sent, Position]]:
    for sent in case.sent:
        if sent.poison and sent.outcome is Outcome.OK and sent.record and sent.record.position:
            yield sent, sent.record.position


def _by_origin(letters: tuple[RawRecord, ...]) -> dict[Position, list[RawRecord]]:
    found = defaultdict(list)
    for letter in letters:
        position = origin(letter)
        if position is not None:
            found[position].append(letter)
    return dict(found)


def _name(sent: Sent, position: Position) -> str:
    return f"attempt {sent.number} at {position.topic}/{position.partition}/{position.offset}"
