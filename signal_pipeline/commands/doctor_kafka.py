"""What `doctor` looks at in Kafka, Kafka Connect and the outbox. Verdicts are pure; below them the reading."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from signal_pipeline.broker.connector import connector_differences, connector_states
from signal_pipeline.broker.topic_state import TopicState, topic_states
from signal_pipeline.commands.database import rows_of
from signal_pipeline.commands.doctor_findings import Check, Finding, Level, good
from signal_pipeline.commands.http_read import read_json
from signal_pipeline.commands.screen import duration, size
from signal_pipeline.settings import Settings

__all__ = ["KAFKA_CHECKS", "configuration_verdict", "connect_version_verdict", "connector_verdict", "outbox_verdict"]
__all__ += ["slot_verdict", "topic_verdict"]

_GIB: Final = 1024**3
_OLDEST_KAFKA: Final = 4
_OLDEST_DEBEZIUM: Final = 3
_DEBEZIUM: Final = "io.debezium.connector.postgresql.PostgresConnector"
_SLOT_BYTES: Final = _GIB  # as the alerts ReplicationSlotRetainsLog and ReplicationSlotNearlyLost
_OUTBOX_SECONDS: Final = 300  # as the alert OutboxBacklog
_TOPICS: Final = ".venv/bin/signal-pipeline topics"
_APPLY: Final = "make debezium-config"
# With a smaller limit the broker refuses what the functions accept; the others decide how long records are kept.
_VITAL_SETTINGS: Final = ("max.message.bytes", "cleanup.policy")


def topic_verdict(states: Sequence[TopicState]) -> Sequence[Finding]:
    """Compare the topics with the topology: there, with enough partitions, with its settings."""
    return [finding for state in states for finding in _of_topic(state)] or good(f"{len(states)} topics as they should")


def _of_topic(state: TopicState) -> Sequence[Finding]:
    name, wanted = state.topic.name, state.topic.partitions
    if not state.partitions:
        return [_fault(f"{name} is missing", _TOPICS)]
    found = []
    if state.partitions < wanted:
        found.append(_fault(f"{name} has {state.partitions} partitions instead of {wanted}", _TOPICS))
    for key, value in state.wanted.items():
        if state.settings.get(key) != value:
            level = Level.FAULT if key in _VITAL_SETTINGS else Level.WARNING
            what = f"{name} has {key} {state.settings.get(key)} instead of {value}"
            found.append(Finding(level=level, what=what, fix=_TOPICS))
    return found


def connect_version_verdict(kafka: str, debezium: str | None) -> Sequence[Finding]:
    """Judge the versions that Kafka Connect tells: of Kafka, whose jars it shares with the broker, and of Debezium."""
    if debezium is None:
        return (_fault("Kafka Connect has no Debezium connector for PostgreSQL", "make down up"),)
    parts = (("Kafka", kafka, _OLDEST_KAFKA), ("Debezium", debezium, _OLDEST_DEBEZIUM))
    return [
        _fault(f"{name} {version}; {oldest} or newer is needed", "make down up")
        for name, version, oldest in parts
        if not version.partition(".")[0].isdigit() or int(version.partition(".")[0]) < oldest
    ] or good(f"Kafka {kafka}, Debezium {debezium}")


def connector_verdict(states: Sequence[str]) -> Sequence[Finding]:
    """Judge the states of the connector, which comes first, and of its tasks."""
    if not states:
        return (_fault("the connector does not exist", _APPLY),)
    if len(states) > 1 and set(states) == {"RUNNING"}:
        return good("connector and task run")
    told = ", ".join(f"{'task' if number else 'connector'} {state}" for number, state in enumerate(states))
    return (_fault(told if len(states) > 1 else f"{told}, without a task", _APPLY),)


def configuration_verdict(differences: Sequence[str]) -> Sequence[Finding]:
    """Judge in which settings the connector differs from the template; names only, for values may be secret."""
    if not differences:
        return good("as the template says")
    return (_fault(f"differs from the template in {', '.join(differences)}", _APPLY),)


def slot_verdict(row: Mapping[str, Any]) -> Sequence[Finding]:
    """Judge the replication slot: there, read, and not in the way of the disk."""
    if row["slot_active"] is None:
        return (_fault("slot outbox_slot is missing", ".venv/bin/signal-pipeline outbox reconnect"),)
    retained, headroom = row["retained_bytes"] or 0, row["headroom_bytes"]
    found = []
    if not row["slot_active"]:
        found.append(_fault("nobody reads the slot", _APPLY))
    if retained > _SLOT_BYTES:
        found.append(Finding(level=Level.WARNING, what=f"{size(retained)} of log wait for Debezium", fix=_APPLY))
    if headroom is not None and headroom < _SLOT_BYTES:
        what = f"the slot is lost after {size(headroom)} more log"
        found.append(Finding(level=Level.WARNING, what=what, fix=_APPLY))
    limit = "no limit" if headroom is None else f"{size(headroom)} until it is lost"
    return found or good(f"read by Debezium, {size(retained)} retained, {limit}")


def outbox_verdict(row: Mapping[str, Any]) -> Sequence[Finding]:
    """Judge how long outbox rows wait for their confirmation."""
    told = f"{row['pending']:,} rows wait"
    if row["pending"]:
        told += f", the oldest for {duration(row['oldest_pending_seconds'])}"
    if row["oldest_pending_seconds"] <= _OUTBOX_SECONDS:
        return good(told)
    return (Finding(level=Level.WARNING, what=told, fix="make logs-confirm-outbox-trigger"),)


def _fault(what: str, fix: str) -> Finding:
    return Finding(level=Level.FAULT, what=what, fix=fix)


def _versions(settings: Settings) -> Sequence[Finding]:
    kafka = read_json(settings, settings.connect_url, what="connect")["version"]
    plugins = read_json(settings, f"{settings.connect_url}/connector-plugins", what="connect")
    debezium = [plugin.get("version") for plugin in plugins if plugin["class"] == _DEBEZIUM]
    return connect_version_verdict(str(kafka), str(debezium[0]) if debezium else None)


def _outbox_row(settings: Settings) -> dict[str, Any]:
    (row,) = rows_of(settings, "outbox_watch")
    return row


KAFKA_CHECKS: Final = (
    Check(name="topics", look=lambda settings: topic_verdict(topic_states(settings)), needs="kafka"),
    Check(name="Kafka and Debezium version", look=_versions, needs="connect"),
    Check(name="connector", look=lambda settings: connector_verdict(connector_states(settings)), needs="connect"),
    Check(
        name="connector configuration",
        look=lambda settings: configuration_verdict(connector_differences(settings)),
        needs="connect",
    ),
    Check(name="replication slot", look=lambda settings: slot_verdict(_outbox_row(settings)), needs="postgres"),
    Check(name="outbox", look=lambda settings: outbox_verdict(_outbox_row(settings)), needs="postgres"),
)
