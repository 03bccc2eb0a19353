"""Who may do what on the broker, as one table, and how it gets there.

users ──each with its password──▶ SCRAM credentials ──▶ rights: those of the table are made, others of these users go

Where the broker has an authorizer, what is not in the table is denied. Writing to a topic includes idempotent writing;
reading includes to look at offsets; a group's right is to join it and to move its offsets.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)

from signal_pipeline.broker.admin import HEARTBEAT_TOPIC
from signal_pipeline.errors import ConfigurationError, DependencyUnavailable
from signal_pipeline.topology import ANOMALY_EVENTS, DEAD_LETTERS, QUARANTINE, SIGNAL_EVENTS

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["ADMINISTRATOR", "CONNECT", "OPERATOR", "USERS", "KafkaUser", "apply_users"]

ADMINISTRATOR: Final = "admin"  # a super user of the broker: it makes topics, users and rights, and nothing else
CONNECT: Final = "connect"
OPERATOR: Final = "operator"
# Connect's own topics and group have this prefix, see local/templates/connect.properties.
_CONNECT_TOPICS: Final = "connect-*"
_CONNECT_GROUP: Final = "signal-pipeline-connect"
_SECONDS: Final = 30.0
_ITERATIONS: Final = 8192  # the passwords are random: more would only slow each connection
_ALL_TOPICS: Final = (SIGNAL_EVENTS.name, ANOMALY_EVENTS.name, DEAD_LETTERS.name, QUARANTINE.name)
_ALL_GROUPS: Final = ("process-signal", "detect-anomaly", "confirm-outbox", "replay-dlq")


@dataclass(frozen=True, kw_only=True)
class KafkaUser:
    """One user and all that it may do; a name that ends with * is a prefix.

    Attributes:
        name: Its name: that of the part that is it.
        reads: Topics that it reads.
        writes: Topics that it writes.
        groups: Consumer groups that it joins, and whose offsets it moves.
        describes: Topics and groups of which it may know that, and how far, they are.
        creates: Topics that it makes itself.
        examines: Topics whose settings it reads.
    """

    name: str
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    describes: tuple[tuple[ResourceType, str], ...] = ()
    creates: tuple[str, ...] = ()
    examines: tuple[str, ...] = ()


USERS: Final = (
    KafkaUser(name="emit", writes=(SIGNAL_EVENTS.name,)),
    KafkaUser(
        name="process-signal-trigger",
        reads=(SIGNAL_EVENTS.name,),
        writes=(DEAD_LETTERS.name, QUARANTINE.name),
        groups=("process-signal",),
    ),
    KafkaUser(
        name="detect-anomaly-trigger",
        reads=(SIGNAL_EVENTS.name,),
        writes=(DEAD_LETTERS.name,),
        groups=("detect-anomaly",),
    ),
    KafkaUser(
        name="confirm-outbox-trigger",
        reads=(ANOMALY_EVENTS.name,),
        writes=(QUARANTINE.name,),
        groups=("confirm-outbox",),
    ),
    KafkaUser(
        name="replay-dlq-trigger",
        reads=(DEAD_LETTERS.name,),
        writes=(QUARANTINE.name,),
        groups=("replay-dlq",),
    ),
    # Replays go back to where they came from, and it waits while live traffic is behind.
    KafkaUser(
        name="replay-dlq",
        writes=(SIGNAL_EVENTS.name, DEAD_LETTERS.name, QUARANTINE.name),
        describes=(
            (ResourceType.TOPIC, DEAD_LETTERS.name),
            *((ResourceType.GROUP, group) for group in ("process-signal", "detect-anomaly", "replay-dlq")),
        ),
    ),
    KafkaUser(
        name=CONNECT,
        reads=(_CONNECT_TOPICS,),
        writes=(_CONNECT_TOPICS, ANOMALY_EVENTS.name, HEARTBEAT_TOPIC.name),
        groups=(_CONNECT_GROUP,),
        creates=(_CONNECT_TOPICS,),
        examines=(_CONNECT_TOPICS,),
    ),
    # The commands: they look at everything, put groups back after a restore, and publish what the connector cannot.
    KafkaUser(
        name=OPERATOR,
        reads=_ALL_TOPICS,
        writes=(ANOMALY_EVENTS.name,),
        groups=(*_ALL_GROUPS, "signal-pipeline-commands"),
        describes=((ResourceType.TOPIC, HEARTBEAT_TOPIC.name),),
        examines=(*_ALL_TOPICS, HEARTBEAT_TOPIC.name),
    ),
)


def rights_of(user: KafkaUser) -> set[AclBinding]:
    """Return the rights of a user as the broker writes them."""
    topics = (
        (user.reads, AclOperation.READ),
        (user.writes, AclOperation.WRITE),
        (user.creates, AclOperation.CREATE),
        (user.examines, AclOperation.DESCRIBE_CONFIGS),
    )
    return {
        *(_right(user, ResourceType.TOPIC, name, operation) for names, operation in topics for name in names),
        *(_right(user, ResourceType.GROUP, name, AclOperation.READ) for name in user.groups),
        *(_right(user, kind, name, AclOperation.DESCRIBE) for kind, name in user.describes),
    }


def _right(user: KafkaUser, kind: ResourceType, name: str, operation: AclOperation) -> AclBinding:
    pattern = ResourcePatternType.PREFIXED if name.endswith("*") else ResourcePatternType.LITERAL
    return AclBinding(
        kind, name.removesuffix("*"), pattern, f"User:{user.name}", "*", operation, AclPermissionType.ALLOW
    )


def apply_users(admin: AdminClient, passwords: Mapping[str, str]) -> list[str]:
    """Give users their passwords, and exactly the rights of the table.

    Args:
        admin: A client of a super user.
        passwords: By user; one that is not named is left as it is, without rights.

    Returns:
        The users that were brought up to date.

    Raises:
        ConfigurationError: a password is of no user of the table.
        DependencyUnavailable: the broker refuses, or has no authorizer.
    """
    known = {user.name: user for user in USERS}
    if unknown := passwords.keys() - known.keys() - {ADMINISTRATOR}:
        raise ConfigurationError(f"KAFKA_USERS_FILE names {', '.join(sorted(unknown))}; there is no such user")
    wanted = [user for user in USERS if user.name in passwords]
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, _ITERATIONS)
    changes: list[UserScramCredentialAlteration] = [
        UserScramCredentialUpsertion(each.name, info, passwords[each.name].encode()) for each in wanted
    ]
    try:
        _await(admin.alter_user_scram_credentials(changes).values())
        for user in wanted:
            _apply_rights(admin, user)
    except KafkaException as exc:
        raise DependencyUnavailable(f"Kafka does not take users and rights: {exc.args[0].str()}") from exc
    return [user.name for user in wanted]


def _apply_rights(admin: AdminClient, user: KafkaUser) -> None:
    wanted = rights_of(user)
    everything = AclBindingFilter(
        ResourceType.ANY,
        None,  # type: ignore[arg-type]  # any name, which the client's own stubs forget
        ResourcePatternType.ANY,
        f"User:{user.name}",
        None,  # type: ignore[arg-type]  # any host
        AclOperation.ANY,
        AclPermissionType.ANY,
    )
    found = set(admin.describe_acls(everything, request_timeout=_SECONDS).result(_SECONDS))
    if missing := wanted - found:
        _await(admin.create_acls(list(missing), request_timeout=_SECONDS).values())
    if surplus := found - wanted:
        filters = [_exactly(right) for right in surplus]
        _await(admin.delete_acls(filters, request_timeout=_SECONDS).values())


def _exactly(right: AclBinding) -> AclBindingFilter:
    return AclBindingFilter(
        right.restype,
        right.name,
        right.resource_pattern_type,
        right.principal,
        right.host,
        right.operation,
        right.permission_type,
    )


def _await(futures: "Iterable[Future[object]]") -> None:
    for future in futures:
        future.result(_SECONDS)
