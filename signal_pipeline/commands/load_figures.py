"""What came of a load, and what is missing. Pure."""

from dataclasses import dataclass

from signal_pipeline.commands.screen import Cell, duration

__all__ = ["LoadFigures", "figure_rows", "problems"]


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadFigures:
    """What came of a load.

    Attributes:
        source: Its own CloudEvents source.
        sent: Signals posted.
        accepted: Signals that emit acknowledged.
        refused: Reasons for those it refused.
        repeats: Requests sent again after 429, 503 or no answer.
        stored: Of the signals sent, those that are rows.
        rows: Rows of the source.
        unchecked: Records of the load that one of the two groups has not committed.
        expected_anomalies: Anomalies that the rules say.
        found_anomalies: Of these, those that are rows.
        other_anomalies: Anomalies of the load's signals that the rules do not say.
        outbox_rows: Outbox rows of the anomalies.
        published: Outbox rows whose event is on anomaly-events.
        confirmed: Outbox rows that confirm-outbox stamped.
        seconds: From the first signal's time to the last row.
        latency_p50: Seconds from a signal's time to its row, median.
        latency_p99: The same, 99th percentile.
    """

    source: str
    sent: int
    accepted: int
    refused: tuple[str, ...]
    repeats: int
    stored: int
    rows: int
    unchecked: int
    expected_anomalies: int
    found_anomalies: int
    other_anomalies: int
    outbox_rows: int
    published: int
    confirmed: int
    seconds: float
    latency_p50: float | None
    latency_p99: float | None


def figure_rows(figures: LoadFigures) -> list[tuple[str, Cell]]:
    """Return the figures as the rows of a table."""
    rate = figures.stored / figures.seconds if figures.seconds > 0 else None
    return [
        ("source", figures.source),
        ("signals sent", f"{figures.sent:,}"),
        ("accepted by emit", f"{figures.accepted:,}"),
        ("requests repeated", f"{figures.repeats:,}"),
        ("stored", f"{figures.stored:,}"),
        ("anomalies by the rules", f"{figures.expected_anomalies:,}"),
        ("anomalies found", f"{figures.found_anomalies + figures.other_anomalies:,}"),
        ("outbox rows", f"{figures.outbox_rows:,}"),
        ("published on anomaly-events", f"{figures.published:,}"),
        ("confirmed", f"{figures.confirmed:,}"),
        ("first signal to last row", duration(figures.seconds)),
        ("signals per second", None if rate is None else f"{rate:,.0f}"),
        ("event to row, median", duration(figures.latency_p50)),
        ("event to row, 99 of 100 within", duration(figures.latency_p99)),
    ]


def problems(figures: LoadFigures) -> list[str]:
    """Return a sentence for each thing that is not as it must be; nothing when the load passed."""
    found = figures.found_anomalies + figures.other_anomalies
    lacking = (
        (figures.sent - figures.accepted, "signals were not accepted; see make logs-emit"),
        (figures.sent - figures.stored, "signals are not stored; see make logs-process-signal-trigger"),
        (figures.rows - figures.stored, "rows of the source were never sent"),
        (figures.unchecked, "records are not processed by both groups; see make kafka-topics"),
        (figures.expected_anomalies - figures.found_anomalies, "anomalies are not found; see make logs-detect-anomaly"),
        (figures.other_anomalies, "anomalies are found that the rules do not say"),
        (found - figures.outbox_rows, "anomalies have no outbox row"),
        (figures.outbox_rows - found, "outbox rows are more than the anomalies"),
        (figures.outbox_rows - figures.published, "events are not on anomaly-events; see make debezium-config"),
        (figures.outbox_rows - figures.confirmed, "events are not confirmed; see make logs-confirm-outbox-trigger"),
    )
    sentences = [f"{number:,} {what}" for number, what in lacking if number > 0]
    return [*(f"emit refused {reason}" for reason in figures.refused), *sentences]
