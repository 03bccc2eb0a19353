"""The independent checker: proves after the fact that the pipeline lost, doubled, invented and altered nothing.

It shares no code with the product: identity, anomaly rules and record formats are written here a second time, from
the specification, so that a mistake in one of the two shows as a difference. It reads PostgreSQL through pg8000 and
Kafka through a bare consumer.

    python -m tests.checker --ledger sent.jsonl --stamped
"""

from tests.checker.check import check, check_until_sound
from tests.checker.history import Bounds, History
from tests.checker.ledger import LedgerWriter, load_ledger
from tests.checker.model import Outcome, Sent, Snapshot
from tests.checker.observer import Observer
from tests.checker.report import Finding, Report

__all__ = [
    "Bounds",
    "Finding",
    "History",
    "LedgerWriter",
    "Observer",
    "Outcome",
    "Report",
    "Sent",
    "Snapshot",
    "check",
    "check_until_sound",
    "load_ledger",
]
