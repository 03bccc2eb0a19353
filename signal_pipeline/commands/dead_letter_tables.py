"""`dlq-status`, `dlq-stats` and `dlq-metrics`: dead letters in Kafka, in the table, and as replay-dlq tells of them."""

from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from signal_pipeline.commands.database import rows_of
from signal_pipeline.commands.dlq_client import DlqClient
from signal_pipeline.commands.http_read import read_json, read_text
from signal_pipeline.commands.kafka_offsets import KafkaOffsets, unread
from signal_pipeline.commands.screen import OUT, Cell, cell, duration, instant, show_table
from signal_pipeline.settings import Settings
from signal_pipeline.topology import DEAD_LETTERS, QUARANTINE

__all__ = ["show_metrics", "show_statistics", "show_status"]

_ROLE: Final = "replay-dlq"
_METRICS: Final = (
    "dlq_messages_processed",
    "dlq_messages_replayed",
    "dlq_messages_failed",
    "dlq_recovery_latency_seconds",
    "dlq_queue_size",
    "dlq_retry_attempts",
)
_STATISTICS: Final = ("status", "class", "code", "letters", "most attempts", "oldest failure", "next attempt")


def show_status(settings: Settings) -> None:
    """Print the depth of the dead-letter and quarantine topics, and the recorded dead letters."""
    offsets = KafkaOffsets(settings)
    letters = unread(offsets.ranges(DEAD_LETTERS.name), offsets.committed(_ROLE, DEAD_LETTERS.name))
    quarantined = offsets.ranges(QUARANTINE.name)
    topics = (
        (DEAD_LETTERS.name, "not read by replay-dlq", sum(span.records for span in letters.values())),
        (QUARANTINE.name, "never replayed by itself", sum(span.records for span in quarantined.values())),
    )
    show_table("Dead-letter topics", ("topic", "records that are", "records"), topics)
    show_table("Recorded dead letters", _STATISTICS, _statistics_rows(rows_of(settings, "dead_letter_stats")))


def show_statistics(settings: Settings) -> None:
    """Print the recovery statistics of replay-dlq."""
    found = DlqClient(settings).statistics() if settings.secured else read_json(settings, _url(settings), what=_ROLE)
    show_table("Dead letters by status, class and code", _STATISTICS, _statistics_rows(found["dead_letters"]))
    OUT.print(f"queue size, unread and unresolved: {cell(found['queue_size'])}")


def _url(settings: Settings) -> str:
    return f"{settings.function_url(_ROLE)}/stats"


def show_metrics(settings: Settings) -> None:
    """Print the recovery's metrics as they are now."""
    host = urlsplit(settings.function_url(_ROLE)).hostname
    page = read_text(settings, f"http://{host}:{settings.metrics_port(_ROLE)}/metrics", what=_ROLE)
    show_table("Metrics of the recovery", ("metric", "labels", "value"), metric_rows(page))


def metric_rows(page: str) -> list[tuple[str, str, str]]:
    """Return name, labels and value of the recovery's metrics on a page in Prometheus text format.

    A histogram is told by its count and mean. A counter with labels that counted nothing yet has no row on the page.
    """
    families = {family.name: family for family in text_string_to_metric_families(page)}
    return [row for name in _METRICS if name in families for row in _metric_rows(families[name])]


def _metric_rows(family: Metric) -> Iterator[tuple[str, str, str]]:
    if family.type == "histogram":
        values = {sample.name.removeprefix(family.name): sample.value for sample in family.samples}
        count = values.get("_count", 0)
        yield f"{family.name} count", "", cell(int(count))
        yield f"{family.name} mean", "", cell(duration(values.get("_sum", 0) / count) if count else None)
        return
    for sample in family.samples:
        if not sample.name.endswith("_created"):
            labels = ", ".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            yield sample.name, labels, cell(int(sample.value))


def _statistics_rows(rows: Iterable[dict[str, Any]]) -> Iterator[tuple[Cell, ...]]:
    for row in rows:
        yield (
            row["status"],
            row["failure_class"],
            row["code"],
            row["letters"],
            row["most_attempts"],
            instant(row["oldest_failure_at"]),
            instant(row["next_attempt_at"]),
        )
