"""Moves the committed offsets of a group that nobody is a member of, so that it reads again from there."""

import time
from collections.abc import Mapping
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from signal_pipeline.broker.config import client_config
from signal_pipeline.errors import Conflict, DependencyUnavailable
from signal_pipeline.settings import Settings

__all__ = ["commit_for_group"]

_POLL_SECONDS: Final = 0.5
# What the broker answers while the group has members: who is none of them may not commit for it.
_HAS_MEMBERS: Final = frozenset(
    {KafkaError.UNKNOWN_MEMBER_ID, KafkaError.ILLEGAL_GENERATION, KafkaError.REBALANCE_IN_PROGRESS}
)


def commit_for_group(
    settings: Settings, group: str, offsets: Mapping[tuple[str, int], int], *, wait_seconds: float
) -> None:
    """Commit offsets in the name of a group.

    Args:
        settings: Where the broker is.
        group: Consumer group.
        offsets: Next offset to read, by topic and partition; others stay as they are.
        wait_seconds: How long members may still be there: the broker keeps one with a name for 10 s after its end.

    Raises:
        Conflict: the group still has members: they would go on from where they are.
        DependencyUnavailable: the broker does not answer.
    """
    wanted = [TopicPartition(topic, number, offset) for (topic, number), offset in offsets.items()]
    deadline = time.monotonic() + wait_seconds
    consumer = Consumer(
        {
            **client_config(settings),
            "group.id": group,
            "enable.auto.commit": False,
            "log_level": 0,  # a broker that is away is told by the error below
        }
    )
    try:
        while wanted and not _committed(consumer, wanted):
            if time.monotonic() >= deadline:
                raise Conflict(f"{group} is being read; stop its trigger first: make stop-{group}-trigger")
            time.sleep(_POLL_SECONDS)
    except KafkaException as exc:
        servers = settings.kafka_bootstrap_servers
        raise DependencyUnavailable(f"Kafka at {servers}: {exc.args[0].str()}") from exc
    finally:
        consumer.close()


def _committed(consumer: Consumer, wanted: list[TopicPartition]) -> bool:
    """Commit; false while the group has members."""
    try:
        done = consumer.commit(offsets=wanted, asynchronous=False) or []
    except KafkaException as exc:
        error = exc.args[0]
    else:
        error = next((each.error for each in done if each.error is not None), None)
    if error is None:
        return True
    if error.code() in _HAS_MEMBERS:
        return False
    raise KafkaException(error)
