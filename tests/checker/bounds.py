"""I13: memory, database connections, what is in flight and the retained write-ahead log stay within their bounds."""

from collections.abc import Iterator

from tests.checker.case import Case
from tests.checker.history import Bounds, Sample
from tests.checker.report import Finding

__all__ = ["exceeded"]

_MEMORY = ("process_resident_memory_bytes", "trigger_process_resident_memory_bytes")


def exceeded(case: Case) -> Iterator[Finding | None]:
    """I13: no sample exceeds a bound; what lies between two samples is not seen."""
    if case.history is None:
        return
    for number, sample in enumerate(case.history.samples):
        for subject, value, bound in _measured(sample, case.history.bounds):
            detail = f"{value:,.0f} exceeds {bound:,} in sample {number}"
            yield Finding(invariant="I13", subject=subject, detail=detail) if value > bound else None


def _measured(sample: Sample, bounds: Bounds) -> Iterator[tuple[str, float, int]]:
    """Yield what was measured: its name, its value, its bound."""
    for role, page in sample.pages.items():
        for name in _MEMORY:
            if name in page:
                yield f"{role}: {name}", page[name], bounds.memory_bytes
        yield f"{role}: requests in flight", page.get("http_requests_in_flight", 0), bounds.requests
        if role in bounds.events:
            yield f"{role}: events in flight", page.get("trigger_in_flight", 0), bounds.events[role]
        yield f"{role}: connections", (sample.connections or {}).get(role, 0), bounds.connections
    for slot, retained in (sample.wal_bytes or {}).items():
        yield f"slot {slot}: retained log", retained, bounds.wal_bytes
