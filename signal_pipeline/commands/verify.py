"""`verify`: the audit that every event is accounted for.

    committed offsets of both groups ──▶ ranges of signal-events
    unread dead letters, quarantine ──▶ temporary table
    ranges ──read──▶ decide identity ──▶ signals? ──▶ dead_letters, temporary table? ──▶ purged? ──▶ missing
    anomalies ◀──one to one──▶ outbox rows ◀──one to one──▶ events on anomaly-events

The order matters. The offsets are taken first: what lies before them was stored or dead-lettered by then. What Kafka
holds of dead letters is taken next, so that one which is recorded meanwhile is found in the table.

An audit of which nothing can be said, because a group has processed none of the events, does not pass.
"""

import gc
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from signal_pipeline.commands.database import connected
from signal_pipeline.commands.kafka_offsets import KafkaOffsets, Range, unread
from signal_pipeline.commands.kafka_reader import read_ranges
from signal_pipeline.commands.screen import OUT, progress, show_table
from signal_pipeline.commands.verify_claims import claim_of, letter_keys, name_of
from signal_pipeline.commands.verify_figures import (
    AuditFigures,
    Verdict,
    figure_rows,
    recorded_violations,
    verdict_of,
    violations,
)
from signal_pipeline.commands.verify_outbox import audit_outbox
from signal_pipeline.commands.verify_store import NAMED, Accounted, AuditStore
from signal_pipeline.settings import Settings
from signal_pipeline.store.audit_runs import record_audit_run
from signal_pipeline.topology import DEAD_LETTERS, QUARANTINE, SIGNAL_EVENTS

__all__ = ["audit", "run_verify"]

_GROUPS: Final = ("process-signal", "detect-anomaly")
_LOOKUPS_AHEAD: Final = 2  # the database looks up one batch while the next is decided; more would only cost memory
# Batches are many small objects without cycles: with the usual 700 looking for cycles takes a fifth of an audit.
_ALLOCATIONS_PER_COLLECTION: Final = 100_000


def run_verify(settings: Settings) -> Verdict:
    """Audit, record the result, print the counts, name what is missing, and return how it ended.

    Raises:
        PipelineError: Kafka or PostgreSQL does not answer: nothing is known, and nothing is recorded.
    """
    began = time.monotonic()
    with _rare_collections():
        figures = audit(settings)
    _record(settings, figures, took=timedelta(seconds=time.monotonic() - began))
    _show(figures)
    return verdict_of(figures)


def _show(figures: AuditFigures) -> None:
    show_table("Audit", ("what", "count"), figure_rows(figures))
    for violation in violations(figures):
        OUT.print(f"{violation.count:,} {violation.what}:", style="red", markup=False)
        for name in violation.names:
            OUT.print(f"  {name}", markup=False)
        if violation.count > len(violation.names) > 0:
            OUT.print(f"  and {violation.count - len(violation.names):,} more")
    if figures.nothing_audited:
        groups = " and ".join(figures.idle_groups or _GROUPS)
        OUT.print(
            f"nothing could be audited: {groups} committed none of {figures.beyond:,} events on {SIGNAL_EVENTS.name}; "
            "see whether the triggers run: make status",
            style="red",
            markup=False,
        )
    elif verdict_of(figures) is Verdict.PASSED:
        OUT.print("every event is accounted for")


@contextmanager
def _rare_collections() -> Iterator[None]:
    thresholds = gc.get_threshold()
    gc.set_threshold(_ALLOCATIONS_PER_COLLECTION, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)


def _record(settings: Settings, figures: AuditFigures, *, took: timedelta) -> None:
    with connected(settings, name="verify") as connection:
        record_audit_run(
            connection,
            took=took,
            audited=figures.audited,
            missing=figures.missing,
            violations=recorded_violations(figures),
        )


def audit(settings: Settings) -> AuditFigures:
    """Audit what Kafka and the purge have left; `PipelineError` when Kafka or PostgreSQL does not answer."""
    offsets = KafkaOffsets(settings)
    held = offsets.ranges(SIGNAL_EVENTS.name)
    committed = {group: offsets.committed(group, SIGNAL_EVENTS.name) for group in _GROUPS}
    ranges = _processed(held, list(committed.values()))
    with connected(settings, name="verify") as connection:
        store = AuditStore(connection)
        _note_letters(settings, offsets, store)
        places: Counter[str] = Counter()
        missing, names = 0, list[str]()
        for accounted in _account(settings, store, ranges):
            places.update(accounted.places)
            missing += len(accounted.missing)
            names += [name_of(claim) for claim in accounted.missing[: NAMED - len(names)]]
        outbox = audit_outbox(settings, offsets, store)
    audited = _records(ranges)
    return AuditFigures(
        places=places,
        missing=missing,
        missing_names=names,
        beyond=_records(held) - audited,
        idle_groups=[group for group, ends in committed.items() if not _records(_processed(held, [ends]))],
        anomalies=outbox.anomalies,
        outbox=outbox.rows,
        published=outbox.published,
        unpublished=outbox.unpublished,
        foreign_events=outbox.foreign_events,
    )


def _processed(held: Mapping[int, Range], committed: list[dict[int, int | None]]) -> dict[int, Range]:
    """Return what both groups have processed of what Kafka holds."""
    ends = {number: min(group.get(number) or 0 for group in committed) for number in held}
    return {
        number: Range(begin=span.begin, end=min(max(ends[number], span.begin), span.end))
        for number, span in held.items()
    }


def _records(ranges: Mapping[int, Range]) -> int:
    return sum(span.records for span in ranges.values())


def _note_letters(settings: Settings, offsets: KafkaOffsets, store: AuditStore) -> None:
    """Put what Kafka holds of dead letters where the lookups find it."""
    letters = offsets.ranges(DEAD_LETTERS.name)
    unrecorded = unread(letters, offsets.committed("replay-dlq", DEAD_LETTERS.name))
    for batch in read_ranges(settings, DEAD_LETTERS.name, unrecorded):
        store.add_letters(letter_keys(batch), place="unread")
    for batch in read_ranges(settings, QUARANTINE.name, offsets.ranges(QUARANTINE.name)):
        store.add_letters(letter_keys(batch), place="quarantine")


def _account(settings: Settings, store: AuditStore, ranges: Mapping[int, Range]) -> Iterator[Accounted]:
    """Yield where the records of each batch are."""
    total = _records(ranges)
    waiting: deque[Future[Accounted]] = deque()
    decided = 0
    with ThreadPoolExecutor(max_workers=1) as lookups, progress("audited", total) as advance:
        for batch in read_ranges(settings, SIGNAL_EVENTS.name, ranges):
            waiting.append(lookups.submit(store.account, [claim_of(record) for record in batch]))
            decided += len(batch)
            advance(decided)
            if len(waiting) > _LOOKUPS_AHEAD:
                yield waiting.popleft().result()
        for lookup in waiting:
            yield lookup.result()
