"""M1 to M5: over a run of 10,000 signals each metric tells what the ledger, the broker and the tables tell too."""

import asyncio

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.checker import Outcome
from tests.support.metrics import page
from tests.support.metrics_run import (
    BATCHES,
    FUNCTION,
    INVALID_IN_BATCH,
    LETTERS,
    POISON,
    TRIGGER,
    VALID_IN_BATCH,
    Run,
    run_load,
    total,
)
from tests.support.pipeline import Pipeline

_VALID = BATCHES * VALID_IN_BATCH
_REFUSED = BATCHES * INVALID_IN_BATCH
# Rows M1 to M4 of the requirements: role, exact name, type.
NAMED = [
    ("emit", "signals_produced_total", "counter"),
    ("emit", "produce_errors_total", "counter"),
    ("emit", "produce_latency_seconds", "histogram"),
    ("process-signal", "signals_consumed_total", "counter"),
    ("process-signal", "db_write_failures_total", "counter"),
    ("process-signal", "processing_latency_seconds", "histogram"),
    ("process-signal", "consumer_lag", "gauge"),
    ("process-signal", "signals_dlq_total", "counter"),
    ("detect-anomaly", "anomalies_detected_total", "counter"),
    ("detect-anomaly", "detection_latency_seconds", "histogram"),
    ("detect-anomaly", "outbox_events_total", "counter"),
    ("detect-anomaly", "outbox_write_failures_total", "counter"),
    ("replay-dlq", "dlq_messages_processed_total", "counter"),
    ("replay-dlq", "dlq_messages_replayed_total", "counter"),
    ("replay-dlq", "dlq_messages_failed_total", "counter"),
    ("replay-dlq", "dlq_recovery_latency_seconds", "histogram"),
    ("replay-dlq", "dlq_queue_size", "gauge"),
    ("replay-dlq", "dlq_retry_attempts_total", "counter"),
]


@pytest.fixture(scope="module")
def run(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The load; what each of the tests below looks at."""
    done = asyncio.run(run_load(pipeline, tmp_path_factory.mktemp("metrics") / "ledger.jsonl"))
    assert _VALID + _REFUSED + POISON == 10_000
    assert (done.outcomes(Outcome.OK), done.outcomes(Outcome.FAIL)) == (_VALID, _REFUSED)
    assert done.counted("rows") == _VALID + LETTERS
    return done


@pytest.mark.parametrize(("role", "name", "kind"), NAMED)
def test_each_named_metric_is_on_its_roles_page(pipeline: Pipeline, role: str, name: str, kind: str) -> None:
    """Rows M1 to M4: the exact name, of its type, on the one page of the role."""
    text = page(pipeline.settings.metrics_port(role))
    kinds = {family.name: family.type for family in text_string_to_metric_families(text)}
    assert kinds[name.removesuffix("_total")] == kind


def test_what_emit_produced_is_what_was_acknowledged(run: Run) -> None:
    """Produced = accepted by the ledger = records that Kafka gained, but for those that came past emit."""
    produced = run.grew("emit", "signals_produced_total")
    assert produced == run.outcomes(Outcome.OK) == run.ended("signal-events") - POISON - LETTERS
    assert run.grew("emit", 'events_refused_total{failure_class="invalid"}') == run.outcomes(Outcome.FAIL)
    assert run.grew("emit", "produce_errors_total") == 0
    assert run.grew("emit", "produce_latency_seconds_count") == BATCHES
    # The batches went one after the other.
    assert 0 < run.grew("emit", "produce_latency_seconds_sum") < run.seconds


def test_what_was_consumed_is_what_was_stored(run: Run) -> None:
    """Summed over the restart of the function, consumed = rows = records that are no dead letters."""
    consumed = run.grew("process-signal", "signals_consumed_total")
    assert consumed == run.counted("rows") == run.ended("signal-events") - POISON
    outcomes = run.grew("process-signal", "signals_stored_total")
    assert outcomes == consumed
    assert run.grew("process-signal", "trigger_events_delivered_total", TRIGGER) == consumed
    assert run.grew("process-signal", "db_write_failures_total") == 0


def test_the_function_was_restarted_and_its_trigger_was_not(run: Run) -> None:
    """The sums above are sums: the function counted from zero in the middle."""
    started = {name: {one.pages["process-signal"][name] for one in run.moments} for name in (FUNCTION, TRIGGER)}
    assert {name: len(times) for name, times in started.items()} == {FUNCTION: 2, TRIGGER: 1}


def test_each_batch_of_signals_is_timed_once(run: Run) -> None:
    """Writes timed = requests answered, but for poison and shared writes; their time fits into that of the run."""
    timed = run.grew("process-signal", "processing_latency_seconds_count")
    answered = run.grew("process-signal", 'http_requests_total{route="/",status="2xx"}')
    assert answered - POISON - _spared(run, "process-signal") <= timed <= answered
    # A batch has 1,000 events at most, and two are in flight.
    assert timed >= run.counted("rows") / 1000
    assert 0 < run.grew("process-signal", "processing_latency_seconds_sum") < 2 * run.seconds
    assert run.grew("process-signal", "trigger_delivery_seconds_count", TRIGGER) >= answered
    assert run.grew("process-signal", "trigger_batch_events_sum", TRIGGER) >= run.ended("signal-events")


def test_poison_is_counted_as_dead_letters(run: Run) -> None:
    """Dead letters counted = records that the dead-letter topic gained, but for those that the test wrote."""
    for name in ("signals_dlq_total", 'trigger_dead_letters_total{failure_class="invalid"}'):
        assert run.grew("process-signal", name, TRIGGER) == POISON == run.ended("signal-events-dlq") - LETTERS
    assert run.grew("process-signal", 'events_refused_total{failure_class="invalid"}') == POISON


def test_lag_is_the_brokers_with_the_function_stopped_and_running(run: Run) -> None:
    """Stopped: the second half waits, on the page as in Kafka; caught up: 0, whole and by partition."""
    assert run.shown_lag == run.real_lag == _VALID // 2
    last = run.after.pages["process-signal"]
    partitions = [value for name, value in last.items() if name.startswith("consumer_partition_lag{")]
    assert partitions == [0] * 6
    assert last["consumer_lag"] == last["consumer_lag_seconds"] == 0
    # What could not be delivered meanwhile was tried again, as a fault that is not the events' own.
    assert run.grew("process-signal", 'trigger_retries_total{failure_class="dependency"}', TRIGGER) > 0


def test_anomalies_are_those_of_the_table(run: Run) -> None:
    """Anomalies by type and severity = rows; outbox rows counted = rows = records that the topic gained."""
    page_after, page_before = run.after.pages["detect-anomaly"], run.moments[0].pages["detect-anomaly"]
    kinds = [name for name in page_after if name.startswith("anomalies_detected_total{")]
    grown = {name: page_after[name] - page_before[name] for name in kinds}
    rows = {
        f'anomalies_detected_total{{severity="{severity}",type="{kind}"}}': count
        for (kind, severity), count in run.after.found.items()
    }
    assert grown == {name: rows.get(name, 0) for name in kinds}
    assert rows.keys() <= grown.keys()
    assert sum(rows.values()) > 500  # 8 of 100 data values break a rule
    outbox = run.grew("detect-anomaly", "outbox_events_total")
    assert outbox == sum(rows.values()) == run.counted("outbox") == run.ended("anomaly-events")
    assert run.grew("detect-anomaly", "outbox_write_failures_total") == 0
    answered = run.grew("detect-anomaly", 'http_requests_total{route="/",status="2xx"}')
    timed = run.grew("detect-anomaly", "detection_latency_seconds_count")
    assert answered - POISON - _spared(run, "detect-anomaly") <= timed <= answered

    assert 0 < run.grew("detect-anomaly", "detection_latency_seconds_sum") < 2 * run.seconds
    assert run.grew("detect-anomaly", "signals_skipped_total") == POISON


def test_what_was_confirmed_is_what_was_published(run: Run) -> None:
    """Confirmed = stamped rows, each with its latency; nothing is pending at the end."""
    confirmed = run.grew("confirm-outbox", "outbox_confirmed_total")
    assert confirmed == run.counted("confirmed") == run.counted("outbox")
    assert run.grew("confirm-outbox", "outbox_confirm_latency_seconds_count") >= confirmed
    assert 0 < run.grew("confirm-outbox", "outbox_confirm_latency_seconds_sum") < confirmed * run.seconds
    last = run.after.pages["confirm-outbox"]
    assert (last["outbox_pending_events"], last["connector_up"], last["replication_slot_active"]) == (0, 1, 1)


def test_dead_letters_are_those_of_the_table(run: Run) -> None:
    """Recorded, replayed and given up = rows by status; what was given up is what quarantine gained."""
    assert run.grew("replay-dlq", "dlq_messages_processed_total") == POISON + LETTERS == run.counted("letters")
    assert run.grew("replay-dlq", "dlq_messages_replayed_total") == LETTERS == run.counted("replayed")
    assert run.grew("replay-dlq", "dlq_retry_attempts_total") == LETTERS
    failed = run.grew("replay-dlq", 'dlq_messages_failed_total{failure_type="invalid"}')
    assert failed == POISON == run.counted("quarantined") == run.ended("signal-events-quarantine")
    assert run.grew("replay-dlq", "dlq_messages_failed_total") == failed


def test_the_time_to_recover_is_that_of_the_rows(run: Run) -> None:
    """Ten replays are timed, from the first failure to the acknowledgement; the rows are marked a moment later."""
    assert run.grew("replay-dlq", "dlq_recovery_latency_seconds_count") == LETTERS
    timed, marked = run.grew("replay-dlq", "dlq_recovery_latency_seconds_sum"), run.after.tables["waited"]
    assert 0 < timed < marked < timed + LETTERS * 5


def test_the_queue_is_empty_as_kafka_and_the_table_are(run: Run) -> None:
    """Nothing is unread and nothing is scheduled, which the run waits for; quarantine shows what its topic holds."""
    last = run.after.pages["replay-dlq"]
    assert last["dlq_queue_size"] == last["consumer_lag"] == 0
    assert last["dlq_quarantine_records"] == run.after.ends["signal-events-quarantine"]
    assert total(last, 'dead_letters{failure_class="invalid",status="quarantined"}') == run.after.tables["quarantined"]


def _spared(run: Run, role: str) -> float:
    """Return how many writes were spared because requests of one event each shared one."""
    return run.grew(role, "coalesced_events_sum") - run.grew(role, "coalesced_events_count")
