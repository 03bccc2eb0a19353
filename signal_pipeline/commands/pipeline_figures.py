"""The pipeline in a handful of numbers, for `status` and `health`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar

from signal_pipeline.commands.database import connected
from signal_pipeline.commands.kafka_offsets import KafkaOffsets, unread
from signal_pipeline.commands.kafka_tables import READERS
from signal_pipeline.commands.screen import Cell, show_table
from signal_pipeline.errors import PipelineError
from signal_pipeline.settings import Settings
from signal_pipeline.store.queries import query

__all__ = ["PipelineFigures", "pipeline_figures", "show_figures"]

_WINDOW: Final = timedelta(seconds=10)

_Value = TypeVar("_Value")


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelineFigures:
    """The pipeline now; None for what could not be asked.

    Attributes:
        stored_per_second: Signals stored a second, over the last ten seconds.
        lag: Records that each group has not committed, by group.
        dead_letters_unresolved: Dead letters that wait for their next attempt.
        outbox_pending: Outbox rows that are not confirmed.
    """

    stored_per_second: float | None
    lag: dict[str, int] | None
    dead_letters_unresolved: int | None
    outbox_pending: int | None


def pipeline_figures(settings: Settings) -> PipelineFigures:
    """Return the figures; a part of the pipeline that does not answer leaves out its own and raises nothing."""
    counts = _unless_down(lambda: _counts(settings))
    return PipelineFigures(
        stored_per_second=None if counts is None else counts["stored"] / _WINDOW.total_seconds(),
        lag=_unless_down(lambda: _lag(settings)),
        dead_letters_unresolved=None if counts is None else counts["unresolved"],
        outbox_pending=None if counts is None else counts["pending"],
    )


def show_figures(settings: Settings) -> None:
    """Print the figures; a dash stands for what does not answer, which `make health` names."""
    figures = pipeline_figures(settings)
    rows: list[tuple[str, Cell]] = [("signals stored per second", figures.stored_per_second)]
    rows += [(f"lag of {group}", (figures.lag or {}).get(group)) for group, _ in READERS]
    rows += [
        ("dead letters that wait", figures.dead_letters_unresolved),
        ("outbox rows that wait", figures.outbox_pending),
    ]
    show_table("Pipeline", ("figure", "value"), rows)


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
