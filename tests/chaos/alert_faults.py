"""The faults that alerts are there for, and which alerts each of them raises."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import psycopg

from tests.chaos.database_outages import TableLocked
from tests.chaos.outages import Outage, Stopped
from tests.chaos.slot import drop_slot, order_connector
from tests.checker.model import RawRecord
from tests.support.metrics import topic_end
from tests.support.pipeline import Pipeline
from tests.support.sender import Sender

__all__ = ["FAULTS", "RATE", "Fault"]

RATE = 500  # steady emission, signals a second
_POISON_PER_SECOND = 20


class ConnectorPaused:
    """A connector that a person has paused, and forgotten."""

    def inflict(self, pipeline: Pipeline) -> None:
        """Pause it."""
        order_connector(pipeline, "pause", "PAUSED")

    def heal(self, pipeline: Pipeline) -> None:
        """Resume it."""
        order_connector(pipeline, "resume", "RUNNING")

    def proves(self, _: Pipeline) -> str:
        """Connect said so itself."""
        return "connector paused"


class SlotDropped:
    """The outbox's replication slot is dropped in the moment in which nobody reads it; a person lets it begin anew."""

    def inflict(self, pipeline: Pipeline) -> None:
        """Drop it; the connector that is sent away fails."""
        drop_slot(pipeline)

    def heal(self, pipeline: Pipeline) -> None:
        """Run the command that the runbook names."""
        done = pipeline.run("-m", "signal_pipeline", "outbox", "reconnect")
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"

    def proves(self, pipeline: Pipeline) -> str:
        """There is a slot again, which nobody but the command makes."""
        with psycopg.connect(pipeline.database_url) as connection:
            slots = connection.execute("SELECT slot_name FROM pg_replication_slots").fetchall()
        assert slots == [("outbox_slot",)]
        return "slot dropped and made anew"


class PoisonStream:
    """A producer that writes what is no signal, steadily."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._seconds = 0

    def inflict(self, pipeline: Pipeline) -> None:
        """Begin to write."""
        self._dead = topic_end(pipeline.settings, "signal-events-dlq")
        self._thread.start()

    def heal(self, _: Pipeline) -> None:
        """End it."""
        self._ending.set()
        self._thread.join()

    def proves(self, pipeline: Pipeline) -> str:
        """Each record is a dead letter, and nothing else is."""
        written, dead = self._seconds * _POISON_PER_SECOND, topic_end(pipeline.settings, "signal-events-dlq")
        assert dead - self._dead == written > 0
        return f"{written:,} invalid records"

    def _write(self) -> None:
        while not self._ending.wait(1):
            poison = [RawRecord(key=None, value=f"poison {time.time_ns()}".encode()) for _ in range(_POISON_PER_SECOND)]
            self._sender.produce("signal-events", [(record, None) for record in poison])
            self._seconds += 1


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault. What fires beside what is said here is a false alarm, and fails the test.

    Attributes:
        name: Its name.
        make: Makes it anew.
        fires: The alerts that must fire while it lasts, with the roles that they are about.
        may: Alerts that are true as well, but need longer than the fault is held.
        remains: Alerts, with their roles, that must fire before the end of the case, and stay for an hour because they
            look back that far: their end is not waited for.
        reach_seconds: Until the figure is beyond its bound, when that is not at once.
        recovery_seconds: From the repair until the figure can be well again.
    """

    name: str
    make: Callable[[Sender], Outage]
    fires: Mapping[str, frozenset[str]]
    may: frozenset[str] = frozenset()
    remains: Mapping[str, frozenset[str]] = field(default_factory=dict)
    reach_seconds: float = 0
    recovery_seconds: float = 30


_WRITERS = frozenset({"process-signal", "detect-anomaly"})
_CONFIRM = frozenset({"confirm-outbox"})
# An outage of some minutes at this rate: as many thousands of events are caught up with, the emission going on.
_CATCH_UP_SECONDS = 120.0

FAULTS = (
    Fault(
        name="process-signal-stopped",
        make=lambda _: Stopped(services=["process-signal"]),
        fires={"RoleDown": frozenset({"process-signal"})},
    ),
    # Its function runs and answers for it; the lag is the trigger's own figure, so nobody knows it meanwhile.
    Fault(
        name="trigger-stopped",
        make=lambda _: Stopped(services=["process-signal-trigger"]),
        fires={"TriggerDown": frozenset({"process-signal"})},
    ),
    Fault(
        name="connector-paused",
        make=lambda _: ConnectorPaused(),
        fires={"ConnectorDown": _CONFIRM},
    ),
    Fault(
        name="slot-dropped",
        make=lambda _: SlotDropped(),
        fires={"ReplicationSlotMissing": _CONFIRM, "ConnectorDown": _CONFIRM},  # a connector without its slot fails
        recovery_seconds=60,
    ),
    # A migration that holds the table is enough: everything answers, and nothing is stored.
    Fault(
        name="lag-signals-locked",
        make=lambda _: TableLocked("signals"),
        fires={"ConsumerLagHigh": _WRITERS, "DatabaseWritesFailing": _WRITERS},
        may=frozenset({"ConsumerLagOld"}),
        reach_seconds=10_000 / RATE,
        recovery_seconds=_CATCH_UP_SECONDS,
    ),
    Fault(
        name="postgres-stopped",
        make=lambda _: Stopped(services=["postgres"]),
        fires={"DatabaseWritesFailing": _WRITERS, "OutboxUnseen": _CONFIRM, "ConsumerLagHigh": _WRITERS},
        may=frozenset({"ConsumerLagOld"}),
        reach_seconds=10_000 / RATE,
        recovery_seconds=_CATCH_UP_SECONDS,
    ),
    # Takes 6 minutes: its window and `for` are two minutes each.
    Fault(
        name="replay-blocked",
        make=lambda _: TableLocked("dead_letters"),
        fires={"ReplayTicksFailing": frozenset({"replay-dlq"})},
    ),
    # Takes 8 minutes: the rate is one over five minutes, and so long it takes to fall. Last, because its letters are in
    # quarantine for the hour over which QuarantineGrows looks back.
    Fault(
        name="poison-stream",
        make=PoisonStream,
        fires={"DeadLetterRateHigh": frozenset({"process-signal"})},
        remains={"QuarantineGrows": frozenset({"replay-dlq"})},
    ),
)
