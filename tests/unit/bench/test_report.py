"""A report says what was measured and nothing more."""

from bench.report import DELIVERY, ONE_BY_ONE, Circumstances, Run, report

HERE = Circumstances(machine="a machine", software="signal-pipeline 0", load_before=1.5)


def run(per_second: int, *, first_rows: int = 100) -> Run:
    """Return a run of ten seconds at a rate."""
    return Run(signals=per_second * 10 + first_rows, seconds=10.0, first_rows=first_rows)


def test_the_rate_leaves_out_the_first_count() -> None:
    """Rows that were there when the clock started were not measured: (1,100 - 100) rows in 10 s are 100 a second."""
    assert run(100).per_second == 100


def test_medians_ranges_and_ratios_are_those_of_the_runs() -> None:
    """The middle run is the figure, the others are its range, and the last arm is what the others are compared with."""
    text = report({DELIVERY: {"ours": [run(900), run(1000), run(2000)], "theirs": [run(90), run(100), run(300)]}}, HERE)
    assert "| ours | 3 | 20,100 | 1,000 | 900 | 2,000 | 10.0 |" in text
    assert "| theirs | 3 | 3,100 | 100 | 90 | 300 | 1.0 |" in text


def test_the_load_of_others_is_told() -> None:
    """A reader sees whether the machine was busy with something else."""
    assert "load average before the first run: 1.50" in report({DELIVERY: {"ours": [run(100)]}}, HERE)


def test_each_subject_compares_its_own_arms() -> None:
    """The last arm of one subject is no measure for the arms of another."""
    text = report({DELIVERY: {"ours": [run(1000)]}, ONE_BY_ONE: {"shared": [run(400)], "alone": [run(100)]}}, HERE)
    assert text.index("# Kafka to stored rows") < text.index("# One event a request")
    assert "| ours | 1 | 10,100 | 1,000 | 1,000 | 1,000 | 1.0 |" in text
    assert "| shared | 1 | 4,100 | 400 | 400 | 400 | 4.0 |" in text
