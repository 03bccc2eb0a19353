"""replay-dlq: dead letters come in, are recorded, and are replayed when they are due.

POST /             dead letters, from the trigger of `signal-events-dlq`
POST /tick         replay what is due, from the schedule
GET  /stats        recovery statistics
GET  /dead-letters a filtered list, with the scope `replay`; /dead-letters/<id> shows one
/replay and /jobs  replay ordered by a person: see `replay_orders`
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import ClassVar, Final

from prometheus_client import CollectorRegistry
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from signal_pipeline.broker.lag import GroupLag
from signal_pipeline.broker.producer import KafkaProducer
from signal_pipeline.domain.failures import Failure
from signal_pipeline.domain.replay import ReplaySchedule
from signal_pipeline.errors import ConfigurationError, DependencyUnavailable, InvalidEvent, NotFound
from signal_pipeline.events.dead_letter import DeadLetter, letter_of
from signal_pipeline.events.dead_letter_metadata import uuid_or_none
from signal_pipeline.events.envelope import CloudEvent
from signal_pipeline.observability.metrics import RecoveryMetrics, ReplayMetrics
from signal_pipeline.roles.database import DatabaseFunction
from signal_pipeline.roles.dead_letter_listing import next_cursor, parse_listing
from signal_pipeline.roles.dead_letter_preview import PREVIEW_BYTES, shown
from signal_pipeline.roles.recovery import Recovery
from signal_pipeline.roles.recovery_watch import RecoveryWatch
from signal_pipeline.roles.replay_orders import REPLAYERS, ReplayOrders
from signal_pipeline.roles.replay_tick import ReplayTick
from signal_pipeline.serving.access import INTERNAL, Rule
from signal_pipeline.serving.answers import json_response
from signal_pipeline.serving.credentials import REPLAY
from signal_pipeline.serving.directory import Directory
from signal_pipeline.settings import Settings
from signal_pipeline.store.dead_letter_views import dead_letter_stats, find_dead_letter, list_dead_letters
from signal_pipeline.topology import DEAD_LETTERS, SIGNAL_EVENTS

__all__ = ["ReplayDlq"]

_LIVE_GROUPS: Final = ("process-signal", "detect-anomaly")  # both read what is published again


@dataclass(frozen=True, kw_only=True)
class _Clients:
    """What the role makes in the worker."""

    producer: KafkaProducer
    recovery: Recovery
    tick: ReplayTick
    watch: RecoveryWatch
    lag: GroupLag
    live_lags: tuple[GroupLag, ...]


class ReplayDlq(DatabaseFunction):
    """The role replay-dlq."""

    name: ClassVar[str] = "replay-dlq"
    # A dead letter may be as large as its topic takes, and grows by a third on the way, in base64.
    max_event_bytes: ClassVar[int | None] = 2 * DEAD_LETTERS.max_message_bytes

    def __init__(self, settings: Settings, registry: CollectorRegistry) -> None:
        super().__init__(settings, registry)
        self._metrics = ReplayMetrics(registry)
        self._state = RecoveryMetrics(registry)
        self._schedule = _schedule(settings)
        self._orders = ReplayOrders(self.pool, self.access, sorted(self._schedule.topics))
        self._clients: _Clients | None = None

    def directory(self) -> Directory:
        """Return what PostgreSQL knows of callers."""
        return Directory(self.pool)

    async def open(self) -> None:
        """Make the clients; they connect by themselves."""
        producer = KafkaProducer(self.settings)
        recovery = Recovery(self.pool, producer, self._metrics, self._schedule)
        live_lags = tuple(GroupLag(self.settings, group=group) for group in _LIVE_GROUPS)
        tick = ReplayTick(
            recovery,
            self._orders,
            partial(asyncio.to_thread, _greatest_lag, live_lags),
            per_second=self.settings.replay_per_second,
            max_live_lag=self.settings.replay_max_live_lag,
        )
        lag = GroupLag(self.settings, group=self.name)
        watch = RecoveryWatch(self.pool, lag, self._state)
        self._clients = _Clients(
            producer=producer, recovery=recovery, tick=tick, watch=watch, lag=lag, live_lags=live_lags
        )
        watch.start()

    async def close(self) -> None:
        """Wait for what is under way, then close the clients."""
        if self._clients is not None:
            await self._clients.watch.stop()
            await self._clients.producer.close()
            for lag in (self._clients.lag, *self._clients.live_lags):
                await asyncio.to_thread(lag.close)
        await super().close()

    async def check(self) -> Mapping[str, str | None]:
        """Return whether PostgreSQL and a broker answer."""
        reachable = await self._opened().producer.ready()
        return {**await super().check(), "kafka": None if reachable else "no broker answers"}

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes of the schedule and of people."""
        guarded = self.access.guarded
        return (
            Route("/tick", guarded(self._tick, INTERNAL), methods=["POST"]),
            Route("/stats", guarded(self._stats, Rule(scope=REPLAY)), methods=["GET"]),
            Route("/dead-letters", guarded(self._list, REPLAYERS), methods=["GET"]),
            Route("/dead-letters/{dlq_id}", guarded(self._show, REPLAYERS), methods=["GET"]),
            *self._orders.routes(),
        )

    async def handle(self, events: Sequence[CloudEvent]) -> Sequence[Failure | None]:
        """Record the dead letters that the events carry; success means that they are in the table."""
        now = datetime.now(UTC)
        decoded = [_decoded(event, now) for event in events]
        await self._opened().recovery.record([letter for letter in decoded if isinstance(letter, DeadLetter)])
        return [letter if isinstance(letter, Failure) else None for letter in decoded]

    async def _tick(self, _: Request) -> Response:
        return json_response(await self._opened().tick.run())

    async def _stats(self, _: Request) -> Response:
        rows = await dead_letter_stats(self.pool)
        return json_response({"queue_size": await self._opened().watch.measure(), "dead_letters": rows})

    async def _list(self, request: Request) -> Response:
        if len(request.query_params) < len(request.query_params.multi_items()):
            raise InvalidEvent("each parameter is given once", code="invalid_parameter")
        wanted = parse_listing(request.query_params)
        rows = await list_dead_letters(self.pool, wanted.filter, limit=wanted.limit, after=wanted.after)
        return json_response({"dead_letters": rows, "cursor": next_cursor(rows, wanted.limit)})

    async def _show(self, request: Request) -> Response:
        dlq_id = uuid_or_none(request.path_params["dlq_id"])
        row = await find_dead_letter(self.pool, dlq_id, preview_bytes=PREVIEW_BYTES) if dlq_id else None
        if row is None:
            raise NotFound("there is no such dead letter")
        return json_response(shown(row))

    def _opened(self) -> _Clients:
        if self._clients is None:
            raise DependencyUnavailable("the function is starting")
        return self._clients


def _decoded(event: CloudEvent, now: datetime) -> DeadLetter | Failure:
    try:
        return letter_of(event, now=now)
    except InvalidEvent as exc:
        return exc.failure


def _greatest_lag(lags: Iterable[GroupLag]) -> int:
    return max(lag.total(SIGNAL_EVENTS) for lag in lags)


def _schedule(settings: Settings) -> ReplaySchedule:
    try:
        return ReplaySchedule.parse(settings.replay_delays_seconds, topics=frozenset({SIGNAL_EVENTS.name}))
    except ValueError as exc:
        raise ConfigurationError(f"REPLAY_DELAYS_SECONDS: {exc}") from exc
