"""Bad links, as a table: which link, how it is bad, for how long."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from tests.support.proxy_rules import Blackhole, Latency, Resets, Rule, Trickle

__all__ = ["CELLS", "REPLAY_CELLS", "Cell", "Fault", "Way"]


class Way(StrEnum):
    """A link: the part that uses it, and the far end."""

    EMIT_BROKER = "emit-to-kafka"
    TRIGGER_BROKER = "trigger-to-kafka"
    TRIGGER_HTTP = "trigger-to-function"
    FUNCTION_DATABASE = "function-to-postgres"
    REPLAY_BROKER = "replay-to-kafka"
    REPLAY_DATABASE = "replay-to-postgres"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """How a link is bad.

    Attributes:
        name: What is said of it.
        rule: Makes the rule.
        outage_seconds: How long; 0 when the work must get done meanwhile, however slowly.
    """

    name: str
    rule: Callable[[], Rule]
    outage_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One link that is bad in one way.

    Attributes:
        way: The link.
        fault: How it is bad.
        short: Whether it belongs to the subset that every test run has.
    """

    way: Way
    fault: Fault
    short: bool

    @property
    def name(self) -> str:
        """The cell's name in the fault matrix."""
        return f"{self.fault.name}-{self.way}"


# Three seconds end every patience that is shorter than a call's; longer outages are those of the whole pipeline.
_FAULTS = (
    Fault(name="NET-1-blackhole", rule=Blackhole, outage_seconds=3),
    Fault(name="NET-2-resets", rule=Resets, outage_seconds=3),
    Fault(name="NET-3-latency", rule=lambda: Latency(seconds=0.2)),
    # 20 KB a second, in pieces that no message fits into.
    Fault(name="NET-4-trickle", rule=lambda: Trickle(size=200, pause_seconds=0.01)),
)
_SHORT = {
    (Way.TRIGGER_BROKER, "NET-2-resets"),
    (Way.TRIGGER_HTTP, "NET-1-blackhole"),
    (Way.FUNCTION_DATABASE, "NET-2-resets"),
}
_REPLAY = (Way.REPLAY_BROKER, Way.REPLAY_DATABASE)
_ALL = tuple(Cell(way=way, fault=fault, short=(way, fault.name) in _SHORT) for way in Way for fault in _FAULTS)

CELLS = tuple(cell for cell in _ALL if cell.way not in _REPLAY)
REPLAY_CELLS = tuple(cell for cell in _ALL if cell.way in _REPLAY)
