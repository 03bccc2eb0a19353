"""What the loop of dead letters counts."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from prometheus_client import CollectorRegistry

from signal_pipeline.broker.producer import KafkaProducer, ProduceError
from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.domain.replay import ReplaySchedule
from signal_pipeline.events.kafka import OutgoingRecord
from signal_pipeline.observability.metrics import ReplayMetrics
from signal_pipeline.roles.recovery import Recovery
from signal_pipeline.store.dead_letters import DueDeadLetter

if TYPE_CHECKING:
    from signal_pipeline.store.pool import Pool


class Refusing:
    """A producer whose broker refuses every record for the next of these reasons."""

    def __init__(self, *codes: Any) -> None:
        self._codes = codes

    async def produce(self, records: Sequence[OutgoingRecord]) -> list[ProduceError]:
        """Refuse."""
        assert len(records) == len(self._codes)
        return [ProduceError(code=code, detail="") for code in self._codes]


def due() -> DueDeadLetter:
    """Return a dead letter that is due."""
    return DueDeadLetter(
        dlq_id=uuid4(),
        topic="signal-events",
        key=None,
        value=b"{}",
        headers=(),
        sha256=b"",
        signal_id=None,
        consumer_group="process-signal",
        failure_class=FailureClass.UNEXPECTED,
        attempts=1,
        traceparent=None,
        first_failed_at=datetime.now(UTC),
    )


async def test_failures_are_counted_by_class() -> None:
    """A record too large is invalid, any other refusal is the broker's; the label has failure classes and no more."""
    registry = CollectorRegistry()
    producer = cast("KafkaProducer", Refusing("message_too_large", "not_accepted", "outcome_unknown"))
    schedule = ReplaySchedule(delays_seconds=(1,), topics=frozenset())
    published = await Recovery(cast("Pool", None), producer, ReplayMetrics(registry), schedule).publish(
        [due(), due(), due()]
    )
    assert len(published.hopeless) == 1
    counted = {
        sample.labels["failure_type"]: sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "dlq_messages_failed_total"
    }
    assert counted == {**dict.fromkeys(map(str, FailureClass), 0), "invalid": 1, "dependency": 2}
