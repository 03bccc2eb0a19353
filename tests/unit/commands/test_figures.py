"""Figures as a person reads them."""

from datetime import UTC, datetime

import pytest

from signal_pipeline.commands.dead_letter_tables import metric_rows
from signal_pipeline.commands.kafka_offsets import Range, unread
from signal_pipeline.commands.percentiles import percentile
from signal_pipeline.commands.screen import Cell, cell, duration, progress, show_table, size

PAGE = """\
# TYPE dlq_messages_failed_total counter
dlq_messages_failed_total{failure_type="invalid"} 2.0
dlq_messages_failed_created{failure_type="invalid"} 1.7e9
# TYPE dlq_queue_size gauge
dlq_queue_size 7.0
# TYPE dlq_recovery_latency_seconds histogram
dlq_recovery_latency_seconds_bucket{le="1.0"} 1.0
dlq_recovery_latency_seconds_bucket{le="+Inf"} 2.0
dlq_recovery_latency_seconds_count 2.0
dlq_recovery_latency_seconds_sum 3.0
# TYPE other_total counter
other_total 1.0
"""


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.0, 1.0), (0.5, 50.0), (0.99, 99.0), (1.0, 100.0)],
)
def test_a_percentile_is_a_measured_value(share: float, expected: float) -> None:
    """Of the numbers 1 to 100 the share p is the number 100 p: nothing is interpolated."""
    assert percentile([float(number) for number in range(100, 0, -1)], share) == expected


def test_nothing_measured_has_no_percentile() -> None:
    """Without values there is no percentile, and no error."""
    assert percentile([], 0.5) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (True, "yes"),
        (1234567, "1,234,567"),
        (0.126, "0.13"),
        ("as it is", "as it is"),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02 03:04:05Z"),
    ],
)
def test_a_cell_is_written_for_people(value: Cell, text: str) -> None:
    """Thousands are grouped, absent values are a dash, times are UTC."""
    assert cell(value) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (5 * 1024**4 * 1024, "5120.0 TiB")]
)
def test_a_size_has_the_unit_that_fits(number: int, text: str) -> None:
    """Bytes are shown in the largest unit that leaves at least one, up to TiB."""
    assert size(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0004, "0 ms"), (0.25, "250 ms"), (1.25, "1.2 s"), (61, "1 min 1 s"), (3 * 3600 + 120, "3 h 2 min")],
)
def test_a_duration_has_the_unit_that_fits(seconds: float, text: str) -> None:
    """A duration is shown in milliseconds, seconds, minutes or hours."""
    assert duration(seconds) == text


def test_text_with_brackets_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Data that looks like markup of the table library is data."""
    show_table("Title", ("what", "count"), [("[red]sender[/]", 1)])
    assert "[red]sender[/]" in capsys.readouterr().out


def test_an_empty_table_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """A table without rows is not an empty screen."""
    show_table("Title", ("what",), [])
    assert "none" in capsys.readouterr().out


def test_progress_away_from_a_terminal_is_quiet_at_first(capsys: pytest.CaptureFixture[str]) -> None:
    """Short work writes no progress lines into a log."""
    with progress("sent", 10) as advance:
        advance(5)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("committed", "expected"),
    [
        pytest.param(7, Range(begin=7, end=9), id="from-the-commit"),
        pytest.param(None, Range(begin=5, end=9), id="nothing-committed"),
        pytest.param(3, Range(begin=5, end=9), id="retention-passed-the-commit"),
        pytest.param(12, Range(begin=9, end=9), id="topic-made-anew"),
    ],
)
def test_unread_is_what_a_group_has_not_committed(committed: int | None, expected: Range) -> None:
    """Unread records lie between the commit and the end, within what the broker holds."""
    assert unread({0: Range(begin=5, end=9)}, {0: committed}) == {0: expected}


def test_the_recovery_s_metrics_are_read_from_its_page() -> None:
    """Counters and gauges are shown by labels, a histogram by count and mean, creation times and others not at all."""
    assert metric_rows(PAGE) == [
        ("dlq_messages_failed_total", "failure_type=invalid", "2"),
        ("dlq_recovery_latency_seconds count", "", "2"),
        ("dlq_recovery_latency_seconds mean", "", "1.5 s"),
        ("dlq_queue_size", "", "7"),
    ]
