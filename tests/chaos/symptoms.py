"""What the product shows of a fault, and figures of a run."""

import time
from collections.abc import Callable
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.checker.kafka import read_topic
from tests.support.metrics import page, real_lag
from tests.support.pipeline import Pipeline
from tests.support.waiting import wait_for

__all__ = ["Symptom", "greatest_lag", "repeated_events", "resident_bytes", "retries", "say", "seconds_until_drained"]

_GROUPS = {
    "process-signal": "signal-events",
    "detect-anomaly": "signal-events",
    "confirm-outbox": "anomaly-events",
    "replay-dlq": "signal-events-dlq",
}


class Symptom:
    """A counter that must grow while a fault lasts."""

    def __init__(self, name: str, read: Callable[[], float]) -> None:
        self._name = name
        self._read = read
        self._before = read()

    def proves(self) -> str:
        """Return what was counted since; `AssertionError` when nothing was."""
        counted = self._read() - self._before
        assert counted > 0, f"no {self._name}: the fault did nothing"
        return f"{counted:,.0f} {self._name}"


def retries(role: str, failure_class: str) -> Callable[[Pipeline], Symptom]:
    """Return what makes the symptom "deliveries of events that failed in this class and are repeated"."""

    def symptom(pipeline: Pipeline) -> Symptom:
        port = pipeline.settings.trigger_port(role)
        assert port is not None

        def read() -> float:
            return sum(
                sample.value
                for family in text_string_to_metric_families(page(port))
                for sample in family.samples
                if sample.name == "trigger_retries_total" and sample.labels["failure_class"] == failure_class
            )

        return Symptom(f"{failure_class} retries of {role}", read)

    return symptom


def greatest_lag(pipeline: Pipeline) -> int:
    """Return what the group that is furthest behind has not committed."""
    return max(real_lag(pipeline.settings, group, topic) for group, topic in _GROUPS.items())


def seconds_until_drained(pipeline: Pipeline, *, seconds: float, lag: int = 0) -> float:
    """Wait until no group is further behind than this, and return how long it took."""
    began = time.monotonic()
    wait_for(lambda: greatest_lag(pipeline) <= lag, seconds=seconds, what=f"a lag of at most {lag}")
    return time.monotonic() - began


def repeated_events(pipeline: Pipeline) -> int:
    """Return how many records of anomaly-events repeat the id of another: at-least-once, made visible."""
    ids = [dict(record.headers).get("ce_id") for record in read_topic(pipeline.bootstrap, "anomaly-events")]
    return len(ids) - len(set(ids))


def say(text: str) -> None:
    """Print the figures of a cell: pytest shows them with a failure, and with -s or -rP always."""
    print(f"\n{text}")  # noqa: T201


def resident_bytes(pid: int) -> int:
    """Return the memory that a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096
