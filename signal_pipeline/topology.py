"""What exists: the roles with their ports, and the topics. Everything else derives from these two tables."""

from dataclasses import dataclass

__all__ = [
    "ANOMALY_EVENTS",
    "DEAD_LETTERS",
    "QUARANTINE",
    "ROLES",
    "SIGNAL_EVENTS",
    "TOPICS",
    "Role",
    "Topic",
    "role_named",
]

_MIB = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Role:
    """One function and the trigger that calls it.

    Attributes:
        name: Name of the function, of its consumer group and of its trigger manifest.
        port: Default HTTP port of the function.
        metrics_port: Default port of the role's metrics page, function and trigger together.
        trigger_port: Default port on which the role's trigger serves its own metrics page; None without a trigger.
    """

    name: str
    port: int
    metrics_port: int
    trigger_port: int | None

    @property
    def target(self) -> str:
        """The Python name of the function: `process-signal` is `process_signal`."""
        return self.name.replace("-", "_")

    @property
    def env(self) -> str:
        """The prefix of the role's settings: `process-signal` has `PROCESS_SIGNAL_PORT`."""
        return self.target.upper()


@dataclass(frozen=True, kw_only=True)
class Topic:
    """A Kafka topic of the pipeline.

    Attributes:
        name: Name on the broker.
        partitions: Number of partitions.
        max_message_bytes: Largest record batch the broker accepts.
    """

    name: str
    partitions: int
    max_message_bytes: int


ROLES = (
    Role(name="emit", port=8001, metrics_port=8011, trigger_port=8021),
    Role(name="process-signal", port=8002, metrics_port=8012, trigger_port=8022),
    Role(name="detect-anomaly", port=8003, metrics_port=8013, trigger_port=8023),
    Role(name="auth", port=8004, metrics_port=8014, trigger_port=None),
    Role(name="replay-dlq", port=8005, metrics_port=8015, trigger_port=8025),
    Role(name="confirm-outbox", port=8006, metrics_port=8016, trigger_port=8026),
)

# A dead letter carries its original record plus metadata, so its topics take larger messages than the source.
SIGNAL_EVENTS = Topic(name="signal-events", partitions=6, max_message_bytes=3 * _MIB // 2)
ANOMALY_EVENTS = Topic(name="anomaly-events", partitions=3, max_message_bytes=3 * _MIB // 2)
DEAD_LETTERS = Topic(name="signal-events-dlq", partitions=1, max_message_bytes=2 * _MIB)
QUARANTINE = Topic(name="signal-events-quarantine", partitions=1, max_message_bytes=2 * _MIB)

TOPICS = (SIGNAL_EVENTS, ANOMALY_EVENTS, DEAD_LETTERS, QUARANTINE)


def role_named(name: str) -> Role:
    """Return the role of that name; `LookupError` names the known ones."""
    for role in ROLES:
        if role.name == name:
            return role
    known = ", ".join(role.name for role in ROLES)
    raise LookupError(f"no role {name!r}; the roles are {known}")
