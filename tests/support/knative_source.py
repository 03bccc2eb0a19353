"""A simulated Knative KafkaSource: reads a topic, sends one event a request, gives up what fails to a KafkaSink.

record ──▶ event ──▶ request ──2xx──▶ resolved
                        ├─ ≥ 500, 404, 408, 409, 429, no answer ──▶ again, `retry` times, after a growing delay
                        └─ any other, or too often ──▶ dead-letter sink ──acknowledged──▶ resolved

It ignores Retry-After, and knows nothing of failure classes, as the real one. An offset is committed when all before it
are resolved. The real one forgets an event that its sink does not take; here that is an error, which a test sees.
"""

import asyncio
import ssl
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import yaml
from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition

from tests.support.knative_event import SourceEvent, event_of, given_up

__all__ = ["Delivery", "KnativeSource", "Subscription", "delivery_of"]

_AGAIN = frozenset({404, 408, 409, 429})
_READ = 500  # records at once
_READ_SECONDS = 0.05
_HELD = 5_000  # records read and not resolved, at most
_COMMIT_SECONDS = 0.5
_SINK_SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """The `delivery` of a manifest.

    Attributes:
        retry: Repetitions after the first attempt.
        delay_seconds: `backoffDelay`.
        linear: Whether `backoffPolicy` is linear.
        timeout_seconds: Patience with one request.
    """

    retry: int
    delay_seconds: float
    linear: bool
    timeout_seconds: float

    def pause(self, repetition: int) -> float:
        """Return how long to wait before a repetition, the first being 1."""
        return self.delay_seconds * (repetition if self.linear else 2**repetition)


def delivery_of(role: str, folder: Path = Path("triggers")) -> Delivery:
    """Return the delivery that a role's manifest asks for."""
    documents = yaml.safe_load_all((folder / f"{role}.yaml").read_text())
    source: dict[str, Any] = next(one for one in documents if one["kind"] == "KafkaSource")["spec"]["delivery"]
    return Delivery(
        retry=source["retry"],
        delay_seconds=_seconds(source["backoffDelay"]),
        linear=source["backoffPolicy"] == "linear",
        timeout_seconds=_seconds(source["timeout"]),
    )


def _seconds(duration: str) -> float:
    """Read the one form of ISO 8601 that the manifests use.

    >>> _seconds("PT0.2S")
    0.2
    """
    return float(duration.removeprefix("PT").removesuffix("S"))


@dataclass
class _Part:
    """What is known of one partition: where reading began, and what is resolved beyond the last gap."""

    next_offset: int
    resolved: set[int] = field(default_factory=set)
    committed: int = -1

    def resolve(self, offset: int) -> None:
        self.resolved.add(offset)
        while self.next_offset in self.resolved:
            self.resolved.remove(self.next_offset)
            self.next_offset += 1


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """What one source reads, and where it sends it.

    Attributes:
        topic: Topic that is read; every partition of it by this one source.
        group: Consumer group; nobody else may be a member.
        url: Where events are sent.
        destination: The address that the dead letters name, as a cluster would know the function.
        delivery: How often and when it tries again.
        sink: Topic of the KafkaSink for dead letters.
        in_flight: Requests under way; None sends in order, one under way for each partition.
        headers: Sent with each request, such as a credential.
        tls: Whom an https address is trusted by.
    """

    topic: str
    group: str
    url: str
    destination: str
    delivery: Delivery
    sink: str
    in_flight: int | None
    headers: Mapping[str, str] = field(default_factory=dict)
    tls: ssl.SSLContext | bool = True


class KnativeSource:
    """One source; use as an asynchronous context manager, which ends when what was sent is resolved and committed.

    Args:
        client: What a Kafka client needs.
        subscription: What it reads, and where it sends it.

    Attributes:
        answers: Answers by status; 0 counts requests without one.
        dead_letters: Events given up.
    """

    def __init__(self, client: Mapping[str, Any], subscription: Subscription) -> None:
        group = {"group.id": subscription.group, "enable.auto.commit": False, "log_level": 0}
        self._consumer = Consumer({**client, **group})
        self._producer = Producer({**client, "acks": "all"})
        self._to = subscription
        self._parts: dict[int, _Part] = {}
        self._queues: list[asyncio.Queue[Message]] = []
        self._ending = asyncio.Event()
        self._held = 0
        self.answers: Counter[int] = Counter()
        self.dead_letters = 0

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._assign)
        timeout = aiohttp.ClientTimeout(total=self._to.delivery.timeout_seconds)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self._to.tls),
            timeout=timeout,
            headers=self._to.headers,
            skip_auto_headers=["content-type"],  # an event without one has none
        )
        shared: asyncio.Queue[Message] = asyncio.Queue()
        self._queues = [asyncio.Queue() for _ in self._parts] if self._to.in_flight is None else [shared]
        senders = [queue for queue in self._queues for _ in range(self._to.in_flight or 1)]
        self._senders = [asyncio.create_task(self._send_all(queue)) for queue in senders]
        self._loops = [asyncio.create_task(self._read()), asyncio.create_task(self._commit_often())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._ending.set()
        resolved = asyncio.gather(*(queue.join() for queue in self._queues), *self._loops)
        try:
            if kind is None:  # whichever is first: all is resolved, or a sender failed
                done, _ = await asyncio.wait([resolved, *self._senders], return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            for task in (resolved, *self._senders, *self._loops):
                task.cancel()
            await asyncio.gather(resolved, *self._senders, *self._loops, return_exceptions=True)
            await self._session.close()
            await asyncio.to_thread(self._consumer.close)

    def _assign(self) -> None:
        numbers = self._consumer.list_topics(self._to.topic, timeout=_SINK_SECONDS).topics[self._to.topic].partitions
        stored = self._consumer.committed([TopicPartition(self._to.topic, number) for number in numbers], _SINK_SECONDS)
        for place in stored:
            if place.offset < 0:
                place.offset = self._consumer.get_watermark_offsets(place, timeout=_SINK_SECONDS)[0]
            self._parts[place.partition] = _Part(next_offset=place.offset)
        self._consumer.assign(stored)

    async def _read(self) -> None:
        while not self._ending.is_set():
            if self._held >= _HELD:
                await asyncio.sleep(_READ_SECONDS)
                continue
            for message in await asyncio.to_thread(self._consumer.consume, _READ, _READ_SECONDS):
                error = message.error()
                if error is not None:
                    raise KafkaException(error)
                self._held += 1
                self._queues[(message.partition() or 0) % len(self._queues)].put_nowait(message)

    async def _send_all(self, queue: "asyncio.Queue[Message]") -> None:
        while True:
            message = await queue.get()
            await self._deliver(message)
            self._held -= 1
            self._parts[message.partition() or 0].resolve(message.offset() or 0)
            queue.task_done()

    async def _deliver(self, message: Message) -> None:
        event = event_of(message, "/apis/v1/namespaces/default/kafkasources/simulated")
        for repetition in range(self._to.delivery.retry + 1):
            if repetition:
                await asyncio.sleep(self._to.delivery.pause(repetition))
            answer = await self._request(event)
            status = answer[0] if answer else 0
            self.answers[status] += 1
            if 200 <= status < 300:
                return
            if answer and not (status >= 500 or status in _AGAIN):
                break
        await self._give_up(given_up(event, self._to.destination, answer))

    async def _request(self, event: SourceEvent) -> tuple[int, Mapping[str, str], bytes] | None:
        headers = {**event.http_headers(), "prefer": "reply"}
        try:
            async with self._session.post(self._to.url, data=event.data, headers=headers) as answer:
                return answer.status, answer.headers, await answer.read()
        except (aiohttp.ClientError, TimeoutError):
            return None

    async def _give_up(self, event: SourceEvent) -> None:
        """Write the event as a KafkaSink does: keyed by its partition key alone, acknowledged by all."""
        key = event.attributes.get("partitionkey")
        failed: list[Any] = []
        self._producer.produce(
            self._to.sink,
            event.data,
            key,
            headers=event.kafka_headers(),  # type: ignore[arg-type]  # a list of pairs is one of the forms
            on_delivery=lambda error, _: failed.append(error) if error else None,
        )
        left = await asyncio.to_thread(self._producer.flush, _SINK_SECONDS)
        assert not left, "the sink did not acknowledge"
        assert not failed, f"the sink refused: {failed}"
        self.dead_letters += 1

    async def _commit_often(self) -> None:
        while not (self._ending.is_set() and self._held == 0) or self._uncommitted():
            await asyncio.to_thread(self._commit)
            await asyncio.sleep(_COMMIT_SECONDS)

    def _uncommitted(self) -> list[TopicPartition]:
        return [
            TopicPartition(self._to.topic, number, part.next_offset)
            for number, part in self._parts.items()
            if part.next_offset > max(part.committed, 0)
        ]

    def _commit(self) -> None:
        places = self._uncommitted()
        if not places:
            return
        try:
            done = self._consumer.commit(offsets=places, asynchronous=False)
        except KafkaException:  # the broker keeps a member that left for some seconds; until then nobody else commits
            return
        for place in done or ():
            if place.error is None:
                self._parts[place.partition].committed = place.offset
