"""What an audit found, and what is wrong with it. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from signal_pipeline.commands.verify_store import (
    AnomalyCounts,
    OutboxCounts,
    PublishedCounts,
    UnpublishedCounts,
)

__all__ = ["AuditFigures", "Verdict", "Violation", "figure_rows", "recorded_violations", "verdict_of", "violations"]

_PLACES: Final = (
    ("stored in signals", "stored"),
    ("in dead_letters", "recorded"),
    ("in the dead-letter topic, unread", "unread"),
    ("in the quarantine topic alone", "quarantine"),
    ("purged by age", "purged"),
)
# Each kind of breach, under its name in the record of audits, in the words that follow a number.
_BREACHES: Final = {
    "missing_events": "events are neither stored nor dead-lettered",
    "anomalies_without_outbox_row": "anomalies have no outbox row",
    "anomalies_with_several_outbox_rows": "anomalies have several outbox rows",
    "outbox_rows_without_anomaly": "outbox rows have no anomaly",
    "outbox_rows_without_event": "outbox rows have no event on anomaly-events",
    "anomaly_events_without_outbox_row": "events on anomaly-events have no outbox row",
    "anomaly_events_without_uuid": "events on anomaly-events have an id that is no UUID",
}
_NOTHING_AUDITED: Final = "nothing_audited"  # its name in the record of audits


class Verdict(IntEnum):
    """How an audit ended; the number is the exit code of the command."""

    PASSED = 0
    FAILED = 1
    NOTHING_AUDITED = 2  # there are events, and no word can be said about any: neither good nor a loss


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditFigures:
    """What an audit found.

    Attributes:
        places: Records of signal-events by where they are accounted for.
        missing: Records that are nowhere.
        missing_names: Some of them, named.
        beyond: Records that one of the groups has not processed yet, which the audit left out.
        idle_groups: The groups that have processed none of what Kafka holds.
        anomalies: Anomalies and their outbox rows.
        outbox: Outbox rows and their anomalies.
        published: Events on anomaly-events.
        unpublished: Outbox rows without an event.
        foreign_events: Events on anomaly-events whose id can be that of no outbox row.
    """

    places: Counter[str]
    missing: int
    missing_names: Sequence[str]
    beyond: int
    idle_groups: Sequence[str]
    anomalies: AnomalyCounts
    outbox: OutboxCounts
    published: PublishedCounts
    unpublished: UnpublishedCounts
    foreign_events: int

    @property
    def audited(self) -> int:
        """Records of signal-events that were looked for."""
        return self.places.total() + self.missing

    @property
    def nothing_audited(self) -> bool:
        """Whether there were events, and all of them had to be left out; an empty topic is in order."""
        return self.audited == 0 and self.beyond > 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Violation:
    """Something that must not be.

    Attributes:
        kind: Its name in the record of audits.
        what: What, in plain words.
        count: How many there are.
        names: Some of them.
    """

    kind: str
    what: str
    count: int
    names: Sequence[str]


def figure_rows(figures: AuditFigures) -> list[tuple[str, int]]:
    """Return the counts as the rows of a table."""
    return [
        ("events on signal-events", figures.audited),
        *((f"  {label}", figures.places[place]) for label, place in _PLACES),
        ("  missing", figures.missing),
        ("events not processed yet, left out", figures.beyond),
        ("anomalies", figures.anomalies.total),
        ("  without an outbox row", figures.anomalies.without_event),
        ("  with several", figures.anomalies.with_several),
        ("outbox rows", figures.outbox.total),
        ("  without their anomaly", figures.outbox.orphans),
        ("  without an event on anomaly-events", figures.unpublished.missing),
        ("events on anomaly-events", figures.published.total + figures.foreign_events),
        ("  repeats, deduped by id", figures.published.repeated),
        ("  of no outbox row", figures.published.unknown + figures.foreign_events),
    ]


def violations(figures: AuditFigures) -> list[Violation]:
    """Return what must not be; nothing when the audit passed."""
    anomalies, outbox, published = figures.anomalies, figures.outbox, figures.published
    found: dict[str, tuple[int, Sequence[str]]] = {
        "missing_events": (figures.missing, figures.missing_names),
        "anomalies_without_outbox_row": (anomalies.without_event, _ids("anomaly", anomalies.without_event_ids)),
        "anomalies_with_several_outbox_rows": (anomalies.with_several, _ids("anomaly", anomalies.with_several_ids)),
        "outbox_rows_without_anomaly": (outbox.orphans, _ids("outbox row", outbox.orphan_ids)),
        "outbox_rows_without_event": (
            figures.unpublished.missing,
            _ids("outbox row", figures.unpublished.missing_ids),
        ),
        "anomaly_events_without_outbox_row": (published.unknown, _ids("event", published.unknown_ids)),
        "anomaly_events_without_uuid": (figures.foreign_events, ()),
    }
    return [
        Violation(kind=kind, what=_BREACHES[kind], count=count, names=names)
        for kind, (count, names) in found.items()
        if count
    ]


def verdict_of(figures: AuditFigures) -> Verdict:
    """Return how the audit ended: a breach outweighs that nothing was audited."""
    if violations(figures):
        return Verdict.FAILED
    return Verdict.NOTHING_AUDITED if figures.nothing_audited else Verdict.PASSED


def recorded_violations(figures: AuditFigures) -> dict[str, int]:
    """Return what the record of audits holds against this one; empty only when it passed."""
    found = {violation.kind: violation.count for violation in violations(figures)}
    return found | ({_NOTHING_AUDITED: figures.beyond} if figures.nothing_audited else {})


def _ids(kind: str, ids: Iterable[object]) -> list[str]:
    return [f"{kind} {each}" for each in ids]
