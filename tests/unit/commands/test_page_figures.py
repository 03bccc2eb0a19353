"""What the metrics pages say between two readings, and what is shown of it."""

import pytest

from signal_pipeline.commands.pages import samples_of
from signal_pipeline.commands.pipeline_figures import PageFigures, page_figures, watch_figures
from signal_pipeline.settings import Settings

NOTHING_LISTENS = Settings(
    _env_file=None, port_offset=24_000, kafka_bootstrap_servers="127.0.0.1:9", database_url="postgresql://127.0.0.1:9/x"
)
AGES = "signal_age_seconds_bucket le="
BEFORE = {
    "emit": {"signals_produced_total": 100.0},
    "process-signal": {f"{AGES}0.1": 50.0, f"{AGES}0.5": 50.0, f"{AGES}+Inf": 50.0},
    "detect-anomaly": None,
    "confirm-outbox": {"outbox_confirmed_total": 9.0},
}
AFTER = {
    "emit": {"signals_produced_total": 300.0},
    "process-signal": {f"{AGES}0.1": 148.0, f"{AGES}0.5": 150.0, f"{AGES}+Inf": 150.0, "consumer_lag_seconds": 4.0},
    "detect-anomaly": {"anomalies_detected_total": 7.0},
    "confirm-outbox": {"outbox_confirmed_total": 3.0},
}


def test_samples_are_summed_over_labels_but_not_over_buckets() -> None:
    """A counter's labels are added up; each bucket of a histogram stays one."""
    page = '# TYPE a counter\na_total{b="1"} 2.0\na_total{b="2"} 3.0\n# TYPE h histogram\nh_bucket{le="+Inf"} 4.0\n'
    assert samples_of(page) == {"a_total": 5.0, "h_bucket le=+Inf": 4.0}


def test_rates_and_latency_are_those_between_the_readings() -> None:
    """200 signals in 2 s are 100 a second; of 100 batches 98 took at most 0.1 s and all at most 0.5 s.

    A page that was not there before, and a counter that began anew, have no rate.
    """
    assert page_figures(BEFORE, AFTER, 2.0) == PageFigures(
        emitted=100.0,
        anomalies=None,
        published=None,
        latency_p50=0.1,
        latency_p99=0.5,
        lag_seconds={"process-signal": 4.0},
    )


def test_nothing_observed_has_no_latency() -> None:
    """Between two equal readings nothing was stored: the rate is 0 and there is no latency."""
    figures = page_figures(AFTER, AFTER, 2.0)
    assert (figures.emitted, figures.latency_p50, figures.latency_p99) == (0.0, None, None)


def test_watching_without_a_terminal_shows_once(capsys: pytest.CaptureFixture[str]) -> None:
    """In a pipe the figures are printed one time; with nothing running they are dashes."""
    watch_figures(NOTHING_LISTENS)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines if line.startswith("signals emitted")] == [
        ["signals", "emitted", "per", "second", "-"]
    ]
