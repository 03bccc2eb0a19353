"""Replay ordered by a person: `POST /replay` and `/jobs`.

POST /replay {"filter": {…}, "limit": n}     200, the plan and what it would do; nothing changes
POST /replay {"plan": "…", "reason": "…", "rate": n}    202, a job; the same Idempotency-Key gives the same job
GET  /jobs                                   200, the newest jobs
GET  /jobs/<id>                              200, how far it is
POST /jobs/<id>/pause | resume | cancel      200

The schedule's tick does the work, a step at a time, so a job survives whatever dies.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Final
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from signal_pipeline.domain.pace import Pace
from signal_pipeline.domain.replay_plan import ReplayPlan
from signal_pipeline.errors import Conflict, Forbidden, InvalidEvent, NotFound
from signal_pipeline.events.dead_letter_metadata import uuid_or_none
from signal_pipeline.events.json_guard import check_value, load_json
from signal_pipeline.observability.logs import get_logger
from signal_pipeline.roles.dead_letter_listing import parse_filter, parse_limit
from signal_pipeline.roles.recovery import Recovery
from signal_pipeline.serving.access import Access, Rule, current_admission
from signal_pipeline.serving.answers import json_response
from signal_pipeline.serving.body import read_body
from signal_pipeline.serving.credentials import REPLAY, Caller
from signal_pipeline.store.dead_letter_views import DeadLetterFilter
from signal_pipeline.store.errors import StoreError
from signal_pipeline.store.pool import Pool
from signal_pipeline.store.replay_jobs import (
    JobOrder,
    KnownJob,
    RunningJob,
    create_job,
    find_job,
    find_job_by_key,
    list_jobs,
    plan_replay,
    running_job,
    switch_job,
)

__all__ = ["REPLAYERS", "JobStep", "ReplayOrders"]

REPLAYERS: Final = Rule(scope=REPLAY, always=True)
_MAX_BODY_BYTES: Final = 64 * 1024
_DEFAULT_LIMIT: Final = 1000
_MAX_LIMIT: Final = 100_000
_SAMPLES: Final = 10
_MAX_REASON: Final = 500
_MAX_RATE: Final = 100_000
_SLICE_SECONDS: Final = 0.2  # a job with a rate of its own publishes what it may in this time at once
_MAX_KEY_BYTES: Final = 256
_UNIQUE_VIOLATION: Final = "23505"
_ACTIONS: Final = {"pause": "paused", "resume": "running", "cancel": "cancelled"}
_FORMS: Final = 'send {"filter": {…}, "limit": n} for a plan, or {"plan": "…"} to execute one'


@dataclass(frozen=True, kw_only=True, slots=True)
class JobStep:
    """What one step of a job did.

    Attributes:
        replayed: Acknowledged by the broker.
        wait_seconds: How long the job's own rate asks to wait; 0 when the job need not wait, or there is none.
    """

    replayed: int = 0
    wait_seconds: float = 0.0


class ReplayOrders:
    """Plans, jobs and their steps.

    Args:
        pool: Where dead letters and jobs are.
        access: Tells who asks.
        topics: Topics to which records may be published again.
    """

    def __init__(self, pool: Pool, access: Access, topics: Sequence[str]) -> None:
        self._pool = pool
        self._access = access
        self._topics = topics
        self._pace: tuple[UUID, Pace] | None = None  # of the job that is running

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes of plans and jobs."""
        table = (
            ("/replay", self._replay, "POST"),
            ("/jobs", self._jobs, "GET"),
            ("/jobs/{job_id}", self._job, "GET"),
            ("/jobs/{job_id}/{action}", self._switch, "POST"),
        )
        return [Route(path, self._access.guarded(does, REPLAYERS), methods=[method]) for path, does, method in table]

    async def step(self, recovery: Recovery, limit: int) -> JobStep:
        """Publish up to `limit` further dead letters of the running job, fewer when its own rate is lower."""
        async with running_job(self._pool) as job:
            if job is None:
                return JobStep()
            pace, now = self._pace_of(job), asyncio.get_running_loop().time
            if pace is not None and (wait := pace.wait(now=now())):
                return JobStep(wait_seconds=wait)
            most = limit if pace is None else min(limit, max(int(pace.per_second * _SLICE_SECONDS), 1))
            letters = await job.next_letters(_filter(job.filter), topics=self._topics, limit=most)
            if pace is not None:
                pace.spent(len(letters), now=now())
            published = await recovery.publish(letters)
            acknowledged = {letter.dlq_id for letter in published.acknowledged}
            done = acknowledged | {letter.dlq_id for letter in published.hopeless}
            # The cursor may pass only what lies before the first record that may still be tried.
            passed = list(takewhile(lambda letter: letter.dlq_id in done, letters))
            replayed = [letter for letter in passed if letter.dlq_id in acknowledged]
            cursor = passed[-1].dlq_id if passed else None
            await job.advance(replayed, skipped=len(passed) - len(replayed), cursor=cursor, ended=not letters)
            return JobStep(replayed=len(replayed))

    def _pace_of(self, job: RunningJob) -> Pace | None:
        """Return the pace that a job was ordered with; None when it takes all that replay may."""
        if job.rate is None:
            return None
        if self._pace is None or self._pace[0] != job.job_id:
            self._pace = (job.job_id, Pace(job.rate))
        return self._pace[1]

    async def _replay(self, request: Request) -> Response:
        asked = _object(await read_body(request, _MAX_BODY_BYTES))
        if set(asked) <= {"plan", "reason", "rate"} and isinstance(asked.get("plan"), str):
            return await self._execute(asked, _caller(), request.headers.get("idempotency-key"))
        if set(asked) <= {"filter", "limit"} and isinstance(asked.get("filter", {}), dict):
            return await self._plan(asked)
        raise InvalidEvent(_FORMS, code="unknown_form")

    async def _plan(self, asked: Mapping[str, Any]) -> Response:
        wanted = {**asked.get("filter", {}), "limit": asked.get("limit", _DEFAULT_LIMIT)}
        letters = await self._selected(wanted)
        content = {
            "plan": str(ReplayPlan.of(wanted, (letter["dlq_id"] for letter in letters))),
            "count": len(letters),
            "counts": Counter(letter["failure_class"] for letter in letters),
            "oldest": min((letter["first_failed_at"] for letter in letters), default=None),
            "newest": max((letter["last_failed_at"] for letter in letters), default=None),
            "samples": letters[:_SAMPLES],
        }
        return json_response(content)

    async def _execute(self, asked: Mapping[str, Any], caller: Caller, key: str | None) -> Response:
        plan, reason, rate = _parsed_plan(asked["plan"]), _reason(asked.get("reason")), _rate(asked.get("rate"))
        if key is not None and len(key.encode()) > _MAX_KEY_BYTES:
            raise InvalidEvent(f"Idempotency-Key has at most {_MAX_KEY_BYTES} bytes", code="invalid_parameter")
        letters = await self._selected(plan.filter)
        order = JobOrder(
            idempotency_key=key,
            plan=plan.digest,
            filter=plan.filter,
            requested_by=caller.identity,
            reason=reason,
            rate=rate,
            total=len(letters),
        )
        job_id = await self._created(
            order, is_current=plan == ReplayPlan.of(plan.filter, (letter["dlq_id"] for letter in letters))
        )
        get_logger().info(
            "replay_ordered", job=str(job_id), who=caller.identity, filter=plan.filter, reason=reason, rate=rate
        )
        return json_response({"job": str(job_id)}, 202)

    async def _created(self, order: JobOrder, *, is_current: bool) -> UUID:
        """Return the job of an order: the one that its idempotency key gave before, else a new one."""
        known = await self._known(order)
        if known is None:
            if not is_current:
                raise Conflict("the dead letters have changed since the plan; make a new one", code="plan_changed")
            known = await self._create(order)
        if (known.plan, known.rate) != (order.plan, order.rate):
            raise Conflict("the Idempotency-Key belongs to another order", code="idempotency_key_used")
        return known.job_id

    async def _known(self, order: JobOrder) -> KnownJob | None:
        return (
            await find_job_by_key(self._pool, order.idempotency_key, order.requested_by)
            if order.idempotency_key
            else None
        )

    async def _create(self, order: JobOrder) -> KnownJob:
        try:
            return await create_job(self._pool, order)
        except StoreError as exc:
            if exc.failure.code != _UNIQUE_VIOLATION:
                raise
            # The active job may be this very order's: sent twice at once, it may meet that index before its key's.
            known = await self._known(order)
            if known is None:
                raise Conflict("another job is active; wait for it or cancel it", code="job_active") from exc
            return known

    async def _selected(self, wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
        limit = wanted.get("limit")
        if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= _MAX_LIMIT:
            raise InvalidEvent(f"limit is a whole number from 1 to {_MAX_LIMIT}", code="invalid_parameter")
        return await plan_replay(self._pool, _filter(wanted), topics=self._topics, limit=limit)

    async def _jobs(self, request: Request) -> Response:
        limit = parse_limit(request.query_params.get("limit"))
        return json_response({"jobs": await list_jobs(self._pool, limit=limit, requested_by=_owner())})

    async def _job(self, request: Request) -> Response:
        return json_response(await self._found(request))

    async def _switch(self, request: Request) -> Response:
        status = _ACTIONS.get(request.path_params["action"])
        if status is None:
            raise NotFound(f"a job can {', '.join(_ACTIONS)}")
        job = await self._found(request)
        if not await switch_job(self._pool, job["job_id"], status):
            raise Conflict("the job has ended", code="job_ended")
        get_logger().info("replay_job_switched", job=str(job["job_id"]), who=_caller().identity, status=status)
        return json_response(await self._found(request))

    async def _found(self, request: Request) -> dict[str, Any]:
        job_id = uuid_or_none(request.path_params["job_id"])
        job = await find_job(self._pool, job_id) if job_id else None
        # Another's job is as unknown as one that never was: its id tells a stranger nothing.
        if job is None or _owner() not in {None, job["requested_by"]}:
            raise NotFound("there is no such job")
        return job


def _caller() -> Caller:
    caller = current_admission().caller
    if caller is None:  # the rule of these routes lets nobody in without one
        raise Forbidden("orders need somebody who gives them")
    return caller


def _owner() -> str | None:
    """Return whose jobs the caller may see; None for all."""
    caller = _caller()
    return None if caller.is_admin else caller.identity


def _object(body: bytes) -> dict[str, Any]:
    value, plain = load_json(body)
    check_value(value, plain=plain)
    if not isinstance(value, dict):
        raise InvalidEvent(_FORMS, code="unknown_form")
    return value


def _filter(wanted: Mapping[str, Any]) -> DeadLetterFilter:
    parts = {name: value for name, value in wanted.items() if name != "limit"}
    if not all(isinstance(value, str) for value in parts.values()):
        raise InvalidEvent("the parts of a filter are texts", code="invalid_parameter")
    return parse_filter(parts)


def _parsed_plan(text: str) -> ReplayPlan:
    try:
        return ReplayPlan.parse(text)
    except ValueError as exc:
        raise InvalidEvent("plan is what the dry run gave", code="invalid_plan") from exc


def _reason(text: Any) -> str | None:
    if text is not None and not (isinstance(text, str) and len(text) <= _MAX_REASON):
        raise InvalidEvent(f"reason is a text of at most {_MAX_REASON} characters", code="invalid_parameter")
    return text


def _rate(number: Any) -> int | None:
    if number is None:
        return None
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= _MAX_RATE:
        raise InvalidEvent(f"rate is a whole number from 1 to {_MAX_RATE}", code="invalid_parameter")
    return number
