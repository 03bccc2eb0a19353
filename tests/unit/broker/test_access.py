"""The table of Kafka rights is what the parts do, and nothing more."""

from pathlib import Path

import pytest
from confluent_kafka.admin import AclBinding, AclOperation, ResourcePatternType, ResourceType

from signal_pipeline.broker.access import CONNECT, OPERATOR, USERS, KafkaUser, rights_of
from signal_pipeline.settings import Settings
from signal_pipeline.topology import ROLES
from signal_pipeline.trigger.manifest import KafkaTrigger, load_triggers

ROOT = Path(__file__).resolve().parents[3]
BY_NAME = {user.name: user for user in USERS}


def kafka_triggers() -> list[KafkaTrigger]:
    """Return the Kafka triggers of all manifests."""
    settings = Settings(_env_file=None)
    with_trigger = [role.name for role in ROLES if role.trigger_port]
    every = [one for role in with_trigger for one in load_triggers(role, settings, folder=ROOT / "triggers")]
    return [one for one in every if isinstance(one, KafkaTrigger)]


@pytest.mark.parametrize("trigger", kafka_triggers(), ids=lambda trigger: trigger.name)
def test_a_trigger_may_do_what_its_manifest_says_and_no_more(trigger: KafkaTrigger) -> None:
    """It reads its topics in its group, and writes its dead letters where the manifest sends them."""
    user = BY_NAME[f"{trigger.name}-trigger"]
    sinks = {trigger.dead_letter_topic, trigger.quarantine_topic} - {None}
    assert set(user.reads) == set(trigger.topics)
    assert set(user.writes) == sinks
    assert user.groups == (trigger.group,)
    assert not user.creates


def test_who_may_write_the_signals() -> None:
    """Two functions alone: a stranger's record on signal-events would be stored as a signal."""
    assert {user.name for user in USERS if "signal-events" in user.writes} == {"emit", "replay-dlq"}


def test_only_connect_creates_topics_and_uses_a_prefix() -> None:
    """A prefix grants what nobody has thought of; Connect's own topics have a name of their own."""
    wide = {user.name for user in USERS if any(name.endswith("*") for name in (*user.reads, *user.writes))}
    assert wide == {user.name for user in USERS if user.creates} == {CONNECT}


def test_the_operator_changes_nothing_of_the_signals() -> None:
    """Commands look at everything; the one topic that they write is that of confirmed anomalies."""
    assert BY_NAME[OPERATOR].writes == ("anomaly-events",)


def test_a_user_becomes_exactly_its_rights() -> None:
    """Each entry of the table is one right for that user from any host; a star makes a prefix of it."""
    user = KafkaUser(
        name="u", reads=("a",), writes=("b-*",), groups=("g",), describes=((ResourceType.GROUP, "h"),), examines=("a",)
    )
    assert {_told(right) for right in rights_of(user)} == {
        (ResourceType.TOPIC, "a", ResourcePatternType.LITERAL, AclOperation.READ),
        (ResourceType.TOPIC, "b-", ResourcePatternType.PREFIXED, AclOperation.WRITE),
        (ResourceType.GROUP, "g", ResourcePatternType.LITERAL, AclOperation.READ),
        (ResourceType.GROUP, "h", ResourcePatternType.LITERAL, AclOperation.DESCRIBE),
        (ResourceType.TOPIC, "a", ResourcePatternType.LITERAL, AclOperation.DESCRIBE_CONFIGS),
    }
    assert {right.principal for right in rights_of(user)} == {"User:u"}


def _told(right: AclBinding) -> tuple[ResourceType, str, ResourcePatternType, AclOperation]:
    return right.restype, right.name, right.resource_pattern_type, right.operation
