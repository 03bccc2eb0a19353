"""The thread that owns the Kafka consumer: polls, hands records to the event loop, commits what the loop asks for.

Only this thread touches the consumer. It always goes on polling, also when nothing may be read, so that the group does
not think the trigger dead. Records are handed over in bounded numbers: when the loop is behind, the thread waits.
"""

import asyncio
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from signal_pipeline.events.client_headers import headers_of
from signal_pipeline.events.kafka import KafkaRecord
from signal_pipeline.observability.logs import get_logger
from signal_pipeline.trigger.partition import TopicPartitionKey

__all__ = ["ConsumerThread", "RecordHandler"]

REVOKE_WAIT_SECONDS: Final = 10.0
_FETCH: Final = 500
_POLL_SECONDS: Final = 0.1
_STALL_SECONDS: Final = 0.25
# Pausing throws away what is fetched ahead, so a short stall only waits; a long one pauses and goes on polling.
_STALLS_BEFORE_PAUSE: Final = 8
# Handed over and not yet taken by the loop: enough to keep it busy, few enough to bound memory.
_HANDOVERS: Final = 4


class RecordHandler(Protocol):
    """What the loop's side offers; all of it is called on the loop."""

    def assigned(self, keys: Iterable[TopicPartitionKey]) -> None:
        """Begin with partitions."""

    def received(self, records: Iterable[KafkaRecord], ends: Iterable[tuple[TopicPartitionKey, int]]) -> None:
        """Take records, and the ends of partitions that were reached."""

    async def revoked(self, keys: Iterable[TopicPartitionKey], *, wait_seconds: float) -> dict[TopicPartitionKey, int]:
        """Give partitions up; return the offsets to commit."""

    def lost(self, keys: Iterable[TopicPartitionKey]) -> None:
        """Forget partitions that belong to someone else already."""


class ConsumerThread:
    """A consumer group member. Start and stop it from the loop that handles its records.

    Args:
        config: librdkafka's settings.
        topics: Topics to subscribe to.
        handler: Where records go.
    """

    def __init__(self, config: Mapping[str, Any], topics: Sequence[str], handler: RecordHandler) -> None:
        self._config = dict(config)
        self._topics = list(topics)
        self._handler = handler
        self._loop = asyncio.get_running_loop()
        self._log = get_logger()
        self._stop = threading.Event()
        self._room = threading.Event()
        self._room.set()
        self._handovers = threading.Semaphore(_HANDOVERS)
        self._lock = threading.Lock()
        self._commits: dict[TopicPartitionKey, int] = {}
        self._sent: dict[TopicPartitionKey, int] = {}  # the newest offset of each partition that went to the broker
        self._held: frozenset[TopicPartitionKey] = frozenset()
        self._paused: frozenset[TopicPartitionKey] = frozenset()
        self._stalls = 0
        self._assigned: set[TopicPartitionKey] = set()
        self._thread = threading.Thread(target=self._run, name="kafka-consumer", daemon=True)
        self.joined = False  # the group gave this member its part, which may be nothing
        self.failed: asyncio.Future[None] = self._loop.create_future()

    # -- called on the loop --

    def start(self) -> None:
        """Join the group."""
        self._thread.start()

    async def stop(self, *, wait_seconds: float) -> None:
        """Commit what is resolved and leave the group, which hands the partitions to others at once."""
        self._stop.set()
        await asyncio.to_thread(self._thread.join, wait_seconds)

    def commit(self, offsets: Mapping[TopicPartitionKey, int]) -> None:
        """Ask for offsets to be committed; repeated until the broker has taken them."""
        if offsets:
            with self._lock:
                self._commits.update(offsets)

    def allow(self, *, room: bool, held: frozenset[TopicPartitionKey]) -> None:
        """Say whether there is room for records at all, and which partitions must not be read further."""
        self._held = held
        if room:
            self._room.set()
        else:
            self._room.clear()

    def _begin(self, keys: list[TopicPartitionKey]) -> None:
        self._handler.assigned(keys)
        self.joined = True

    def _lose(self, keys: list[TopicPartitionKey]) -> None:
        self.joined = False
        self._handler.lost(keys)

    def _fail(self, error: Exception) -> None:
        if not self.failed.done():
            self.failed.set_exception(error)

    # -- the thread --

    def _run(self) -> None:
        try:
            consumer = Consumer({**self._config, "on_commit": self._on_commit, "error_cb": self._on_error})
            try:
                consumer.subscribe(
                    self._topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
                )
                while not self._stop.is_set():
                    self._step(consumer)
            finally:
                consumer.close()
        except Exception as exc:  # noqa: BLE001 - whatever ends the thread must end the trigger, not pass unseen
            self._loop.call_soon_threadsafe(self._fail, exc)

    def _step(self, consumer: Consumer) -> None:
        self._send_commits(consumer)
        if self._room.wait(_STALL_SECONDS):
            self._stalls = 0
            self._hold(consumer, self._held)
        else:
            self._stalls += 1
            if self._stalls < _STALLS_BEFORE_PAUSE:
                return
            self._hold(consumer, frozenset(self._assigned))
        first = consumer.poll(_POLL_SECONDS)
        if first is None:
            return
        self._hand_over([first, *consumer.consume(_FETCH - 1, 0)])

    def _hold(self, consumer: Consumer, wanted: frozenset[TopicPartitionKey]) -> None:
        wanted &= self._assigned
        held = self._paused & self._assigned
        if pause := wanted - held:
            consumer.pause([TopicPartition(*key) for key in pause])
        if resume := held - wanted:
            consumer.resume([TopicPartition(*key) for key in resume])
        self._paused = wanted

    def _hand_over(self, messages: Sequence[Any]) -> None:
        records: list[KafkaRecord] = []
        ends: list[tuple[TopicPartitionKey, int]] = []
        for message in messages:
            error = message.error()
            if error is None:
                records.append(_record(message))
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's own code
                ends.append(((message.topic(), message.partition()), message.offset()))
            elif error.fatal() or error.code() == KafkaError._FATAL:  # noqa: SLF001 - a message's error has only the code
                self._log.error("consumer_failed", detail=error.str(), instance=self._config.get("group.instance.id"))
                raise KafkaException(error)
            else:
                self._log.warning("consumer_error", code=error.name(), detail=error.str())
        if records or ends:
            self._handovers.acquire()
            self._loop.call_soon_threadsafe(self._receive, records, ends)

    def _receive(self, records: list[KafkaRecord], ends: list[tuple[TopicPartitionKey, int]]) -> None:
        self._handovers.release()
        self._handler.received(records, ends)

    def _send_commits(self, consumer: Consumer) -> None:
        with self._lock:
            offsets, self._commits = self._commits, {}
        mine = [TopicPartition(*key, offset) for key, offset in offsets.items() if key in self._assigned]
        if not mine:
            return
        self._sent.update({key: offset for key, offset in offsets.items() if key in self._assigned})
        try:
            consumer.commit(offsets=mine, asynchronous=True)
        except KafkaException as exc:
            self._on_commit(exc.args[0], mine)

    def _on_commit(self, error: KafkaError | None, partitions: Sequence[TopicPartition]) -> None:
        failed = [one for one in partitions if error is not None or one.error is not None]
        if not failed:
            return
        self._log.warning("commit_failed", detail=str(error or failed[0].error))
        with self._lock:
            for one in failed:
                key = (one.topic, one.partition)
                # Only the newest offset of this assignment is repeated: an older one would move the group backwards.
                if one.offset >= self._sent.get(key, one.offset + 1):
                    self._commits.setdefault(key, one.offset)

    def _on_assign(self, _consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        keys = _keys(partitions)
        self._assigned.update(keys)
        self._log.info("partitions_assigned", partitions=sorted(keys))
        self._loop.call_soon_threadsafe(self._begin, keys)

    def _on_revoke(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        keys = _keys(partitions)
        wait = 0.0 if self._stop.is_set() else REVOKE_WAIT_SECONDS  # at a stop the loop has waited already
        done = asyncio.run_coroutine_threadsafe(self._handler.revoked(keys, wait_seconds=wait), self._loop)
        offsets = [TopicPartition(*key, offset) for key, offset in done.result().items()]
        self._forget(consumer, keys)
        self._log.info("partitions_revoked", partitions=sorted(keys))
        if not offsets:
            return
        try:
            consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as exc:
            # The next owner delivers again what was not committed; functions are idempotent.
            self._log.warning("commit_failed", detail=str(exc))

    def _on_lost(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        keys = _keys(partitions)
        self._forget(consumer, keys)
        self._log.warning("partitions_lost", partitions=sorted(keys))
        self._loop.call_soon_threadsafe(self._lose, keys)

    def _forget(self, consumer: Consumer, keys: Iterable[TopicPartitionKey]) -> None:
        # librdkafka remembers a pause beyond the assignment: given back one day, the partition would stay silent.
        if paused := self._paused.intersection(keys):
            consumer.resume([TopicPartition(*key) for key in paused])
        self._assigned.difference_update(keys)
        self._paused -= frozenset(keys)
        with self._lock:
            for key in keys:
                self._commits.pop(key, None)
                self._sent.pop(key, None)

    def _on_error(self, error: KafkaError) -> None:
        self._log.warning("kafka_client_error", code=error.name(), detail=error.str())


def _record(message: Any) -> KafkaRecord:
    return KafkaRecord(
        message.topic(),
        message.partition(),
        message.offset(),
        message.timestamp()[1],
        message.key(),
        message.value(),
        headers_of(message),
    )


def _keys(partitions: Iterable[TopicPartition]) -> list[TopicPartitionKey]:
    return [(one.topic, one.partition) for one in partitions]
