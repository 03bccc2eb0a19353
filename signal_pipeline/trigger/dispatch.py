"""Moves records from the consumer to the function and decides what becomes of each.

    consumer ──received──▶ partition buffers ──load (≤ in_flight at once)──▶ deliver ──POST──▶ function
                                ▲                                              │
                                │                     ┌────────────────────────┼──────────────────────┐
                                │                  failed whole,            verdict on              refuses
                                │                  not transient           each event               batches
                                │                     │ split in halves        │                      │ one by one
                                │                     └──────────▶ deliver     │          deliver ◀───┘
                                │                                              ▼
                                │                        ┌─────────────────────┼─────────────────────┐
                                │                     waiting               doomed                durable
                                │                        │                     │ dead-letter          │
                                │                        │                     │ (produce, then ack)  │
                                │                        │           refused ◀─┴─▶ acknowledged       │
                                └──────── back off ◀─────┴──────────────┘               └──▶ resolve ◀─┘
                                                                                              │
                                                                    consumer ◀── commit ──────┘

An offset is resolved only after the function called the event durable, or the broker acknowledged its dead letter.
"""

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Final, Protocol

from signal_pipeline.domain.dead_letters import Disposition
from signal_pipeline.domain.failures import Failure, TriggerAction
from signal_pipeline.events.kafka import KafkaRecord
from signal_pipeline.observability.metrics import DeliveryMetrics
from signal_pipeline.trigger.breaker import Breaker
from signal_pipeline.trigger.expiry import hold_after, too_old
from signal_pipeline.trigger.loads import Load, next_healthy_load, next_probe, next_troubled_load
from signal_pipeline.trigger.manifest import KafkaTrigger
from signal_pipeline.trigger.partition import Partition, TopicPartitionKey
from signal_pipeline.trigger.pending import Fate, Pending, judge, must_wait
from signal_pipeline.trigger.sampled_log import SampledLog
from signal_pipeline.trigger.verdicts import Answer

__all__ = ["DeadLetters", "Dispatcher", "Subscriber"]

BREAKER_PAUSE_SECONDS: Final = 10.0
_TICK_SECONDS: Final = 0.0005
_SPLITS: Final = frozenset({TriggerAction.DEAD_LETTER, TriggerAction.RETRY_BOUNDED})


class Subscriber(Protocol):
    """The function."""

    async def deliver(self, records: Sequence[KafkaRecord], *, batch: bool) -> Answer:
        """Deliver records; never raises for what the network or the function did."""


class DeadLetters(Protocol):
    """The dead-letter topic."""

    async def write(self, doomed: Sequence[Pending]) -> bool:
        """Write dead letters; acknowledged ones become durable. Returns whether all were."""


class Dispatcher:
    """The deliveries of one Kafka trigger. All methods run on one event loop.

    Args:
        trigger: What to do.
        subscriber: The function.
        dead_letters: Where given-up records go.
        metrics: Counters.
    """

    def __init__(
        self, trigger: KafkaTrigger, subscriber: Subscriber, dead_letters: DeadLetters, metrics: DeliveryMetrics
    ) -> None:
        self._trigger = trigger
        self._subscriber = subscriber
        self._dead_letters = dead_letters
        self._metrics = metrics
        self._log = SampledLog()
        self._breaker = Breaker()
        self._probe_at = 0.0
        self._batch = trigger.batch
        self.partitions: dict[TopicPartitionKey, Partition] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._healthy = 0
        self._troubled = 0
        self._stopping = False
        self._timer: asyncio.TimerHandle | None = None
        self.on_change: Callable[[], None] = lambda: None  # called when buffers grew or shrank
        self.crashed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    # -- the edges, in the order of the drawing --

    def assigned(self, keys: Iterable[TopicPartitionKey]) -> None:
        """Begin with partitions; nothing is known of them."""
        for key in keys:
            self.partitions[key] = Partition(key)

    def received(self, records: Iterable[KafkaRecord], ends: Iterable[tuple[TopicPartitionKey, int]] = ()) -> None:
        """Buffer records; those of partitions that were taken away are ignored, their new owner reads them."""
        now = asyncio.get_running_loop().time()
        for record in records:
            partition = self.partitions.get((record.topic, record.partition))
            if partition is not None:
                partition.add(Pending(record), now)
        for key, offset in ends:
            if key in self.partitions:
                self.partitions[key].offsets.reach_end(offset)
        self._pump()

    async def revoked(self, keys: Iterable[TopicPartitionKey], *, wait_seconds: float) -> dict[TopicPartitionKey, int]:
        """Give partitions up: what is in flight may end, what waits is dropped.

        Returns:
            The offsets to commit, of what is resolved and nothing else.
        """
        leaving = [self.partitions[key] for key in keys if key in self.partitions]
        for partition in leaving:
            partition.leaving = True
        busy = [asyncio.ensure_future(one.idle.wait()) for one in leaving]
        if busy:
            _, late = await asyncio.wait(busy, timeout=wait_seconds)
            for waiter in late:
                waiter.cancel()
        self.lost([one.key for one in leaving])
        return {one.key: offset for one in leaving if (offset := one.offsets.committable) is not None}

    def lost(self, keys: Iterable[TopicPartitionKey]) -> None:
        """Forget partitions; a delivery that is still under way ends without effect on any offset."""
        for key in keys:
            self.partitions.pop(key, None)

    def commits(self) -> dict[TopicPartitionKey, int]:
        """Return the offsets that moved since the last call."""
        return {
            key: offset
            for key, partition in self.partitions.items()
            if (offset := partition.offsets.take_commit()) is not None
        }

    async def drain(self, *, wait_seconds: float) -> None:
        """Begin no delivery any more and wait for those in flight."""
        self._stopping = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=wait_seconds)

    def _pump(self) -> None:
        """Start every delivery that can start now, and come back when the next one may."""
        if self._stopping:
            return
        while (load := self._next_load()) is not None:
            self._start(load)
        self._metrics.paused.set(sum(one.failures > 0 for one in self.partitions.values()))
        self._metrics.breaker_open.set(self._breaker.is_open)
        self.on_change()
        self._come_back()

    def _next_load(self) -> Load | None:
        now = asyncio.get_running_loop().time()
        events = self._trigger.batch_events if self._batch else 1
        partitions = self.partitions.values()
        if self._breaker.is_open:
            return next_probe(partitions, now=now) if not self._tasks and now >= self._probe_at else None
        if not self._troubled and (load := next_troubled_load(partitions, self._trigger, now=now, events=events)):
            return load
        if self._healthy < self._trigger.in_flight:
            return next_healthy_load(partitions, self._trigger, now=now, events=events)
        return None

    def _start(self, load: Load) -> None:
        for partition, _ in load.parts:
            # The order of the dict is the order of service: a served partition goes to the end.
            if partition.key in self.partitions:
                self.partitions[partition.key] = self.partitions.pop(partition.key)
        self._troubled += load.troubled
        self._healthy += not load.troubled
        task = asyncio.create_task(self._run(load))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not self.crashed.done():
            # A fault of the trigger itself: going on could lose an event, so the process stops and starts again.
            self.crashed.set_exception(error)
            return
        self._pump()

    async def _run(self, load: Load) -> None:
        entries = load.entries
        self._metrics.in_flight.inc(len(entries))
        started_ms = _wall_ms()
        self._expire(load, started_ms)
        asked = await self._deliver([one for one in entries if one.fate is Fate.WAITING])
        self._weigh(load)
        await self._give_up(load)
        self._metrics.in_flight.dec(len(entries))
        self._troubled -= load.troubled
        self._healthy -= not load.troubled
        now = asyncio.get_running_loop().time()
        for partition, part in load.parts:
            chance = random.random()  # noqa: S311 - jitter
            partition.hold = hold_after(partition.hold, part, started_ms=started_ms, now_ms=_wall_ms())
            partition.settle(part, now=now, chance=chance, backoff=self._trigger.backoff, ask=asked)

    def _expire(self, load: Load, now_ms: float) -> None:
        age = self._trigger.max_event_age_seconds
        if age is None:
            return
        for partition, part in load.parts:
            for one in part:
                if too_old(one, partition.hold, age_ms=age * 1000, now_ms=now_ms):
                    one.doom(Disposition.EXPIRED)

    async def _deliver(self, entries: Sequence[Pending]) -> float:
        """Deliver until each event has a verdict, or the rest must wait; returns the seconds the function asked for."""
        if not entries:
            return 0.0
        if not self._batch and len(entries) > 1:
            return await self._each([[one] for one in entries])
        answer = await self._subscriber.deliver([one.record for one in entries], batch=self._batch)
        if answer.refuses_batches:
            self._batch = False
            return await self._deliver(entries)
        if answer.whole is not None and answer.whole.policy.trigger in _SPLITS and len(entries) > 1:
            middle = len(entries) // 2
            return await self._each([entries[:middle], entries[middle:]])
        self._judge(entries, answer)
        return answer.retry_after_seconds

    async def _each(self, groups: Iterable[Sequence[Pending]]) -> float:
        asked = 0.0
        for group in groups:
            asked = max(asked, await self._deliver(group))
            if self._breaker.is_open or any(must_wait(one) for one in group):
                break  # later events must not overtake earlier ones that could not even be tried
        return asked

    def _judge(self, entries: Sequence[Pending], answer: Answer) -> None:
        now, failures = datetime.now(UTC), list[Failure]()
        for index, one in enumerate(entries):
            failure = answer.whole or answer.failures.get(index)
            judge(one, failure, now=now, max_attempts=self._trigger.max_attempts)
            if failure is not None:
                failures.append(failure)
                self._log.failure(failure, one, function=self._trigger.function, delivery=answer.delivery)
                if one.fate is Fate.WAITING:
                    self._metrics.retries.labels(failure.failure_class.value).inc()
        self._breaker.count(succeeded=len(entries) - len(failures), failures=failures)
        self._metrics.delivered.inc(len(entries) - len(failures))

    def _weigh(self, load: Load) -> None:
        """Behind an open breaker nothing is given up for its sake, but for the probe, which keeps things moving."""
        if load.probe and any(one.fate is Fate.DURABLE for one in load.entries):
            self._breaker.close()
        if not self._breaker.is_open:
            return
        self._probe_at = asyncio.get_running_loop().time() + BREAKER_PAUSE_SECONDS
        self._log.breaker_open(self._trigger.function)
        if load.probe:
            return
        for one in load.entries:
            if one.disposition in {Disposition.EXHAUSTED, Disposition.REJECTED}:
                one.spare()

    async def _give_up(self, load: Load) -> None:
        doomed = [one for one in load.entries if one.fate is Fate.DOOMED]
        if doomed:
            await self._dead_letters.write(doomed)

    def _come_back(self) -> None:
        """Pump again when the next delivery is due; one that waits for a free slot is started when a delivery ends."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = [self._due(one) for one in self.partitions.values() if self._startable(one)]
        if due:
            # Never in the past: a moment that passed since the partitions were looked at must not be lost.
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(min(due), loop.time() + _TICK_SECONDS), self._pump)

    def _startable(self, partition: Partition) -> bool:
        if not partition.startable:
            return False
        if self._breaker.is_open:
            return not self._tasks
        return not self._troubled if partition.failures else self._healthy < self._trigger.in_flight

    def _due(self, partition: Partition) -> float:
        if self._breaker.is_open:
            return self._probe_at
        return max(partition.retry_at, partition.waiting_since + self._trigger.batch_window_seconds)


def _wall_ms() -> float:
    return datetime.now(UTC).timestamp() * 1000
