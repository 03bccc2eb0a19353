"""`kafka-topics`: what the topics hold and how far each group is behind."""

from collections.abc import Iterator

from signal_pipeline.commands.kafka_offsets import KafkaOffsets, Range, unread
from signal_pipeline.commands.screen import Cell, show_table
from signal_pipeline.settings import Settings
from signal_pipeline.topology import ANOMALY_EVENTS, DEAD_LETTERS, SIGNAL_EVENTS, TOPICS

__all__ = ["READERS", "show_topics"]

# Which group reads which topic; a group is named as its function.
READERS = (
    ("process-signal", SIGNAL_EVENTS),
    ("detect-anomaly", SIGNAL_EVENTS),
    ("replay-dlq", DEAD_LETTERS),
    ("confirm-outbox", ANOMALY_EVENTS),
)


def show_topics(settings: Settings) -> None:
    """Print the topics with their partitions, and the lag of the groups that read them."""
    offsets = KafkaOffsets(settings)
    held = {topic.name: offsets.ranges(topic.name) for topic in TOPICS}
    show_table("Topics", ("topic", "partition", "first offset", "end offset", "records"), _topic_rows(held))
    groups = [(group, topic.name, offsets.committed(group, topic.name), held[topic.name]) for group, topic in READERS]
    rows = [row for group, topic, committed, ranges in groups for row in _group_rows(group, topic, committed, ranges)]
    show_table("Groups", ("group", "topic", "partition", "committed", "end offset", "lag"), rows)


def _topic_rows(held: dict[str, dict[int, Range]]) -> Iterator[tuple[Cell, ...]]:
    for name, ranges in held.items():
        for number, span in ranges.items():
            yield name, number, span.begin, span.end, span.records
        if len(ranges) > 1:
            yield name, "all", None, None, sum(span.records for span in ranges.values())


def _group_rows(
    group: str, topic: str, committed: dict[int, int | None], ranges: dict[int, Range]
) -> Iterator[tuple[Cell, ...]]:
    behind = unread(ranges, committed)
    for number, span in behind.items():
        yield group, topic, number, committed[number], ranges[number].end, span.records
    if len(behind) > 1:
        yield group, topic, "all", None, None, sum(span.records for span in behind.values())
