"""Runs one Kafka trigger: consumer thread, dispatcher, commits, flow control, lag; from start to drained stop."""

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import Final

from signal_pipeline.broker.config import consumer_config
from signal_pipeline.broker.lag import GroupLag
from signal_pipeline.broker.producer import KafkaProducer
from signal_pipeline.observability.logs import get_logger
from signal_pipeline.observability.metrics import DeliveryMetrics
from signal_pipeline.settings import Settings
from signal_pipeline.tls import client_context
from signal_pipeline.trigger.consumer import ConsumerThread
from signal_pipeline.trigger.deadletter import DeadLetterWriter
from signal_pipeline.trigger.delivery import FunctionClient
from signal_pipeline.trigger.dispatch import Dispatcher
from signal_pipeline.trigger.flow import has_room, held_partitions
from signal_pipeline.trigger.lag import LagMonitor
from signal_pipeline.trigger.manifest import KafkaTrigger

__all__ = ["DRAIN_SECONDS", "KafkaTriggerSource"]

DRAIN_SECONDS: Final = 22.0  # a platform kills after 30 s; the last commit and the end of the client take up to 5 s
_LEAVE_SECONDS: Final = 4.0
# Lag counts what is not committed: at 1,000 events a second this keeps it near 100 while all is well.
_COMMIT_SECONDS: Final = 0.1
_LAG_SECONDS: Final = 1.0


class KafkaTriggerSource:
    """A Kafka trigger as the main program runs it.

    Args:
        trigger: The manifest.
        settings: Where the broker is.
        metrics: Counters and gauges.
    """

    def __init__(self, trigger: KafkaTrigger, settings: Settings, metrics: DeliveryMetrics) -> None:
        self._trigger = trigger
        self._settings = settings
        self._producer: KafkaProducer | None = None
        self._metrics = metrics
        self._consumer: ConsumerThread | None = None

    async def ready(self) -> bool:
        """Tell whether the group gave this trigger its part and the broker answers."""
        if self._consumer is None or self._producer is None:
            return False
        return self._consumer.joined and await self._producer.ready()

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop` is set, then finish what is in flight, commit and leave the group.

        Raises:
            Exception: a fault of the trigger itself; nothing that was not resolved is committed.
        """
        self._producer = KafkaProducer(self._settings)
        try:
            async with FunctionClient(self._trigger, self._metrics, client_context(self._settings)) as subscriber:
                dead_letters = DeadLetterWriter(self._trigger, self._producer, self._metrics)
                await self._deliver(Dispatcher(self._trigger, subscriber, dead_letters, self._metrics), stop)
        finally:
            await self._producer.close(timeout_seconds=1)  # every dead letter was waited for already

    async def _deliver(self, dispatcher: Dispatcher, stop: asyncio.Event) -> None:
        consumer = ConsumerThread(self._consumer_config(), self._trigger.topics, dispatcher)
        dispatcher.on_change = lambda: self._control_flow(dispatcher, consumer)
        self._consumer = consumer
        consumer.start()
        upkeep = [asyncio.create_task(self._commit(dispatcher, consumer)), self._lag_task(dispatcher, consumer)]
        try:
            await _first(stop.wait(), dispatcher.crashed, consumer.failed, *upkeep)
        finally:
            for task in upkeep:
                task.cancel()
            await dispatcher.drain(wait_seconds=DRAIN_SECONDS)
            await consumer.stop(wait_seconds=_LEAVE_SECONDS)
            get_logger().info("trigger_stopped", trigger=self._trigger.name)

    def _consumer_config(self) -> dict[str, object]:
        return consumer_config(
            self._settings,
            group=self._trigger.group,
            offset_reset=self._trigger.offset_reset,
            protocol=self._trigger.protocol,
            instance=self._settings.trigger_instance,
        )

    def _control_flow(self, dispatcher: Dispatcher, consumer: ConsumerThread) -> None:
        partitions, now = dispatcher.partitions.values(), asyncio.get_running_loop().time()
        room = has_room(partitions, self._trigger, now=now)
        consumer.allow(room=room, held=held_partitions(partitions, self._trigger, now=now))

    async def _commit(self, dispatcher: Dispatcher, consumer: ConsumerThread) -> None:
        while True:
            consumer.commit(dispatcher.commits())
            self._control_flow(dispatcher, consumer)  # a partition becomes slow by nothing but time
            await asyncio.sleep(_COMMIT_SECONDS)

    def _lag_task(self, dispatcher: Dispatcher, consumer: ConsumerThread) -> "asyncio.Task[None]":
        starts_at_end = self._trigger.offset_reset == "latest"
        lag = GroupLag(self._settings, group=self._trigger.group, starts_at_end=starts_at_end)
        monitor = LagMonitor(lag, self._metrics.lag)

        async def measure() -> None:
            while True:
                await monitor.update(dispatcher.partitions if consumer.joined else None)
                await asyncio.sleep(_LAG_SECONDS)

        return asyncio.create_task(measure())


async def _first(*awaitables: Awaitable[object]) -> None:
    """Wait until one of them ends and raise what it raised."""
    tasks = [asyncio.ensure_future(one) for one in awaitables]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    tasks[0].cancel()
    with contextlib.suppress(asyncio.CancelledError):
        for task in done:
            task.result()
