"""I5 and I11: offsets follow effects at every sampled moment, and the first processing of a key is in order."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import pairwise
from uuid import UUID

from tests.checker.case import Case
from tests.checker.history import History, Part, Sample
from tests.checker.letters import identity
from tests.checker.model import Position, RawRecord
from tests.checker.report import Finding

__all__ = ["committed_ahead", "lagging", "overtaken", "went_back"]

_TOPIC = "signal-events"
_STORING, _DETECTING = "process-signal", "detect-anomaly"


def committed_ahead(case: Case) -> Iterator[Finding | None]:
    """I5: what a sampled commit covers was in the stores, or a dead letter, by the store sample that followed it."""
    if case.history is None:
        return
    log = _log_in_scope(case)
    for group in (_STORING, _DETECTING):
        for partition, records in log.items():
            yield from _ahead(case, case.history, (group, _TOPIC, partition), records)


def _ahead(case: Case, history: History, part: Part, records: list[RawRecord]) -> Iterator[Finding | None]:
    waiting = iter(sorted(records, key=_offset))
    record = next(waiting, None)
    for index, sample in enumerate(history.samples):
        commit = (sample.commits or {}).get(part, 0)
        later = _stores_after(history.samples[index:])
        while later is not None and record is not None and _offset(record) < commit:
            if _has_effect(case, part[0], record, later):
                yield None
            else:
                name = f"{part[0]} at {part[1]}/{part[2]}/{_offset(record)}"
                yield Finding(invariant="I5", subject=name, detail=f"is below the committed {commit}, without effect")
            record = next(waiting, None)


def _stores_after(samples: Iterable[Sample]) -> Sample | None:
    """Return the first sample whose stores all answered; None when there is none, and nothing can be said."""
    complete = (one for one in samples if one.stored is not None and one.detected is not None)
    return next((one for one in complete if one.letters is not None), None)


def _has_effect(case: Case, group: str, record: RawRecord, stores: Sample) -> bool:
    row_id, ends = identity(record), stores.letters or {}
    for letter in case.letters_of.get(record.position, ()) if record.position else ():
        if letter.position and letter.position.offset < ends.get(letter.position.topic, 0):
            return True
    if group == _STORING:
        return row_id in (stores.stored or ())
    return row_id not in case.anomalous or row_id in (stores.detected or ())


def went_back(case: Case) -> Iterator[Finding | None]:
    """I5: no sampled commit is below an earlier one of its group and partition."""
    highest: dict[Part, int] = {}
    for sample in case.history.samples if case.history else ():
        if sample.commits is None:
            continue
        for part, before in highest.items():
            now = sample.commits.get(part)
            wrong = now is None or now < before
            name = f"{part[0]} at {part[1]}/{part[2]}"
            yield Finding(invariant="I5", subject=name, detail=f"went back from {before} to {now}") if wrong else None
        highest.update(sample.commits)


def lagging(case: Case) -> Iterator[Finding | None]:
    """I5: at the end every group has committed what its topic holds."""
    for part, (committed, end) in sorted(case.snapshot.ends.items()):
        name = f"{part[0]} at {part[1]}/{part[2]}"
        lag = Finding(invariant="I5", subject=name, detail=f"has committed {committed} of {end} at the end")
        yield None if (committed or 0) >= end else lag


def overtaken(case: Case) -> Iterator[Finding | None]:
    """I11: of one key, rows in the order of the log have rising times of storing, and anomalies of detection.

    detect-anomaly stores the signals that it finds something in when it is first, so those say nothing of the order in
    which process-signal worked, and are judged by their anomalies alone. A dead letter comes again out of order.
    """
    for records in _by_key(case).values():
        for times in (_times(case, records, case.stored_at), _times(case, records, case.detected_at)):
            for (first, earlier), (second, later) in pairwise(times):
                if earlier <= later:
                    yield None
                else:
                    detail = f"was processed before offset {first} of the same key"
                    yield Finding(invariant="I11", subject=second, detail=detail)


def _times(case: Case, records: list[RawRecord], at: dict[UUID, datetime]) -> list[tuple[str, datetime]]:
    found = []
    for record in records:
        row_id, place = identity(record), record.position
        if row_id in at and place and place not in case.letters_of and row_id not in case.rewritten:
            found.append((f"{place.topic}/{place.partition}/{place.offset}", at[row_id]))
    return found


def _by_key(case: Case) -> dict[tuple[int, bytes], list[RawRecord]]:
    """Return the first record of each identity, in order, by partition and key."""
    found: dict[tuple[int, bytes], list[RawRecord]] = defaultdict(list)
    seen: set[UUID | None] = set()
    for partition, records in _log_in_scope(case).items():
        for record in sorted(records, key=_offset):
            if record.key is not None and identity(record) not in seen:
                seen.add(identity(record))
                found[partition, record.key].append(record)
    return found


def _log_in_scope(case: Case) -> dict[int, list[RawRecord]]:
    """Return what the ledger knows of the log: its events, and the records that it placed itself."""
    placed: set[Position] = {sent.record.position for sent in case.sent if sent.record and sent.record.position}
    found: dict[int, list[RawRecord]] = defaultdict(list)
    for record in case.snapshot.log:
        if record.position and (record.position in placed or identity(record) in case.events):
            found[record.position.partition].append(record)
    return found


def _offset(record: RawRecord) -> int:
    return record.position.offset if record.position else -1
