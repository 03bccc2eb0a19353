"""The pipeline in a handful of numbers, once or again and again: `status` and `watch`.

Rates and latencies are what happened between two readings of the metrics pages; the rest is what is true now.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar

from rich.live import Live

from signal_pipeline.commands.database import connected, rows_of
from signal_pipeline.commands.kafka_offsets import KafkaOffsets, unread
from signal_pipeline.commands.kafka_tables import READERS
from signal_pipeline.commands.pages import Samples, metrics_of_roles
from signal_pipeline.commands.screen import OUT, Cell, duration, make_table, show_table, size
from signal_pipeline.errors import PipelineError
from signal_pipeline.settings import Settings
from signal_pipeline.store.queries import query

__all__ = ["PageFigures", "PipelineFigures", "page_figures", "pipeline_figures", "show_figures", "watch_figures"]

_WINDOW: Final = timedelta(seconds=10)
_BETWEEN_SECONDS: Final = 1.0  # the rate source sends ten times a second: enough of it lies between two readings
_REFRESH_SECONDS: Final = 2.0
_COLUMNS: Final = ("figure", "value", "oldest")

_Value = TypeVar("_Value")
_Pages = Mapping[str, Samples | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelineFigures:
    """The pipeline now; None for what could not be asked.

    Attributes:
        stored_per_second: Signals stored a second, over the last ten seconds.
        lag: Records that each group has not committed, by group.
        dead_letters_unresolved: Dead letters that wait for their next attempt.
        outbox_pending: Outbox rows that are not confirmed.
        outbox_seconds: Age of the oldest of these.
        retained_bytes: Log that PostgreSQL keeps for the slot.
    """

    stored_per_second: float | None
    lag: dict[str, int] | None
    dead_letters_unresolved: int | None
    outbox_pending: int | None
    outbox_seconds: float | None = None
    retained_bytes: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PageFigures:
    """What the metrics pages say between two readings; None for what they do not.

    Attributes:
        emitted: Signals a second that the broker acknowledged.
        anomalies: New anomalies a second.
        published: Outbox rows a second that were seen on `anomaly-events`.
        latency_p50: Seconds from a batch's oldest signal to its row, median of the batches.
        latency_p99: The same, 99th percentile.
        lag_seconds: Age of the oldest record that a group has read and not resolved, by group.
    """

    emitted: float | None
    anomalies: float | None
    published: float | None
    latency_p50: float | None
    latency_p99: float | None
    lag_seconds: Mapping[str, float]


def pipeline_figures(settings: Settings) -> PipelineFigures:
    """Return the figures; a part of the pipeline that does not answer leaves out its own and raises nothing."""
    counts = _unless_down(lambda: _counts(settings))
    outbox: Mapping[str, Any] = (_unless_down(lambda: rows_of(settings, "outbox_watch")) or [{}])[0]
    return PipelineFigures(
        stored_per_second=None if counts is None else counts["stored"] / _WINDOW.total_seconds(),
        lag=_unless_down(lambda: _lag(settings)),
        dead_letters_unresolved=None if counts is None else counts["unresolved"],
        outbox_pending=None if counts is None else counts["pending"],
        outbox_seconds=outbox.get("oldest_pending_seconds"),
        retained_bytes=outbox.get("retained_bytes"),
    )


def page_figures(before: _Pages, after: _Pages, seconds: float) -> PageFigures:
    """Return what happened between two readings of the roles' pages, `seconds` apart."""

    def rate(role: str, name: str) -> float | None:
        first, last = before.get(role), after.get(role)
        if first is None or last is None or last.get(name, 0) < first.get(name, 0):  # restarted meanwhile
            return None
        return (last.get(name, 0.0) - first.get(name, 0.0)) / seconds

    ages = {group: (after.get(group) or {}).get("consumer_lag_seconds", math.nan) for group, _ in READERS}
    stores = before.get("process-signal"), after.get("process-signal")
    return PageFigures(
        emitted=rate("emit", "signals_produced_total"),
        anomalies=rate("detect-anomaly", "anomalies_detected_total"),
        published=rate("confirm-outbox", "outbox_confirmed_total"),
        latency_p50=_quantile(*stores, "signal_age_seconds", 0.5),
        latency_p99=_quantile(*stores, "signal_age_seconds", 0.99),
        lag_seconds={group: age for group, age in ages.items() if not math.isnan(age)},
    )


def show_figures(settings: Settings) -> None:
    """Print the figures; a dash stands for what does not answer, which `make health` names."""
    before, began = metrics_of_roles(settings), time.monotonic()
    time.sleep(_BETWEEN_SECONDS)
    after = metrics_of_roles(settings)
    show_table("Pipeline", _COLUMNS, _rows(pipeline_figures(settings), _between(before, after, began)))


def watch_figures(settings: Settings) -> None:
    """Show the figures anew every two seconds until Ctrl-C; where there is no terminal, once."""
    if not OUT.is_terminal:
        show_figures(settings)
        return
    before, began = metrics_of_roles(settings), time.monotonic()
    try:
        with Live(console=OUT, auto_refresh=False, transient=False) as live:
            while True:
                time.sleep(_REFRESH_SECONDS)
                after, now = metrics_of_roles(settings), time.monotonic()
                rows = _rows(pipeline_figures(settings), page_figures(before, after, now - began))
                live.update(make_table("Pipeline, until Ctrl-C", _COLUMNS, rows), refresh=True)
                before, began = after, now
    except KeyboardInterrupt:
        return  # the way out


def _between(before: _Pages, after: _Pages, began: float) -> PageFigures:
    return page_figures(before, after, time.monotonic() - began)


def _rows(figures: PipelineFigures, pages: PageFigures) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = [
        ("signals emitted per second", pages.emitted, ""),
        ("signals stored per second", figures.stored_per_second, ""),
        ("anomalies per second", pages.anomalies, ""),
        ("published per second", pages.published, ""),
        ("event to row, median", duration(pages.latency_p50), ""),
        ("event to row, 99 of 100 within", duration(pages.latency_p99), ""),
    ]
    for group, _ in READERS:
        rows.append((f"lag of {group}", (figures.lag or {}).get(group), duration(pages.lag_seconds.get(group))))
    return [
        *rows,
        ("dead letters that wait", figures.dead_letters_unresolved, ""),
        ("outbox rows that wait", figures.outbox_pending, duration(figures.outbox_seconds)),
        ("log retained for the slot", size(figures.retained_bytes), ""),
    ]


def _quantile(before: Samples | None, after: Samples | None, name: str, share: float) -> float | None:
    """Return a quantile of what a histogram counted between two readings, as the upper bound of its bucket.

    None without observations, and where it lies beyond the last bound.
    """
    if before is None or after is None:
        return None
    prefix = f"{name}_bucket le="
    counts = {float(key.removeprefix(prefix)): n - before.get(key, 0) for key, n in after.items() if prefix in key}
    total = counts.get(math.inf, 0)
    if total <= 0:
        return None
    found = min((bound for bound, count in counts.items() if count >= share * total), default=math.inf)
    return None if math.isinf(found) else found


def _unless_down(ask: Callable[[], _Value]) -> _Value | None:
    try:
        return ask()
    except (PipelineError, LookupError):
        return None


def _counts(settings: Settings) -> dict[str, int]:
    with connected(settings, name="figures") as connection:
        row = connection.execute(query("pipeline_counts"), {"window": _WINDOW}).fetchone()
    stored, unresolved, pending = row or (0, 0, 0)
    return {"stored": stored, "unresolved": unresolved, "pending": pending}


def _lag(settings: Settings) -> dict[str, int]:
    offsets = KafkaOffsets(settings)
    return {
        group: sum(span.records for span in unread(offsets.ranges(name), offsets.committed(group, name)).values())
        for group, name in ((group, topic.name) for group, topic in READERS)
    }
