"""Replay ordered by a person, over HTTP, against PostgreSQL and a broker."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from structlog.testing import capture_logs

from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.roles.recovery import Recovery
from tests.checker.kafka import read_topic
from tests.integration.roles.letters import failure, letter
from tests.integration.roles.site import Site


def statuses(database_url: str) -> list[str]:
    """Return the status of every dead letter."""
    with psycopg.connect(database_url) as connection:
        return [row[0] for row in connection.execute("SELECT status FROM dead_letters").fetchall()]


def on_topic(broker: str, ids: list[UUID]) -> int:
    """Return how often the events were published again."""
    wanted = {str(each).encode() for each in ids}
    return sum(dict(record.headers).get("ce_id") in wanted for record in read_topic(broker, "signal-events"))


async def test_dry_run_changes_nothing(site: Site, rejected: list[UUID], database_url: str, broker: str) -> None:
    """Without a plan the answer tells what a replay would do, and does nothing."""
    found = await site.plan(filter={"class": "rejected"})
    assert (found["count"], found["counts"], len(found["samples"])) == (5, {"rejected": 5}, 5)
    assert (await site.plan(filter={"class": "unexpected"}))["count"] == 0
    assert (await site.plan(filter={}, limit=2))["count"] == 2
    assert await site.step() == 0
    assert set(statuses(database_url)) == {"quarantined"}
    assert on_topic(broker, rejected) == 0


async def test_job_replays_its_plan(site: Site, rejected: list[UUID], database_url: str, broker: str) -> None:
    """An executed plan is worked off step by step; each record is published once, and the job says how far it is."""
    answer = await site.order((await site.plan(filter={"class": "rejected"}))["plan"])
    assert answer.status == 202
    assert [await site.step(2) for _ in range(4)] == [2, 2, 1, 0]
    job = await site.job(answer.json["job"])
    assert (job["status"], job["total"], job["replayed"], job["skipped"]) == ("completed", 5, 5, 0)
    assert (job["requested_by"], job["reason"]) == ("tester", "the cause is repaired")
    assert set(statuses(database_url)) == {"replayed"}
    assert on_topic(broker, rejected) == 5


async def test_same_key_is_the_same_job(site: Site, rejected: list[UUID], broker: str) -> None:
    """An order repeated with its Idempotency-Key, even after the job has ended, replays nothing a second time."""
    plan = (await site.plan(filter={}))["plan"]
    first = await site.order(plan, key="order-1")
    assert (await site.order(plan, key="order-1")).json == first.json
    await site.step()
    again = await site.order(plan, key="order-1")
    assert (again.status, again.json) == (202, first.json)
    await site.step()
    assert on_topic(broker, rejected) == 5
    other = (await site.plan(filter={"class": "invalid"}))["plan"]
    assert (await site.order(other, key="order-1")).status == 409
    slower = await site.order(plan, key="order-1", rate=1)
    assert (slower.status, slower.json["code"]) == (409, "idempotency_key_used")


async def test_same_key_at_once_is_one_job(site: Site, rejected: list[UUID], broker: str) -> None:
    """Five orders with one Idempotency-Key at the same time are one job."""
    plan = (await site.plan(filter={}))["plan"]
    answers = await asyncio.gather(*(site.order(plan, key="order-1") for _ in range(5)))
    assert {answer.status for answer in answers} == {202}
    assert len({answer.json["job"] for answer in answers}) == 1
    await site.step()
    assert on_topic(broker, rejected) == 5


async def test_sql_in_a_filter_is_a_value(site: Site, rejected: list[UUID]) -> None:
    """A filter's text is compared, never executed."""
    assert (await site.plan(filter={"code": "500' OR '1'='1"}))["count"] == 0
    assert (await site.plan(filter={"code": "500"}))["count"] == len(rejected)


async def test_who_ordered_what_and_why_is_on_record(site: Site, rejected: list[UUID]) -> None:
    """The log names person, filter and reason of an order, and person and job of each switch."""
    with capture_logs() as lines:
        job = (await site.order((await site.plan(filter={"class": "rejected"}))["plan"])).json["job"]
        await site.ask("POST", f"/jobs/{job}/cancel")
    said = {line["event"]: line for line in lines}
    ordered, switched = said["replay_ordered"], said["replay_job_switched"]
    assert (ordered["who"], ordered["job"], ordered["reason"]) == ("tester", job, "the cause is repaired")
    assert ordered["filter"] == {"class": "rejected", "limit": 1000}
    assert (switched["who"], switched["job"], switched["status"]) == ("tester", job, "cancelled")
    assert len(rejected) == 5


async def test_changed_dead_letters_refuse_the_plan(site: Site, rejected: list[UUID], recovery: Recovery) -> None:
    """A plan whose dead letters are no longer the same is refused instead of replaying others."""
    plan = (await site.plan(filter={"class": "rejected"}))["plan"]
    newcomer = uuid4()
    await recovery.record([letter(newcomer, failure(newcomer, 99, FailureClass.REJECTED))])
    answer = await site.order(plan)
    assert (answer.status, answer.json["code"]) == (409, "plan_changed")
    assert len(rejected) == 5


async def test_job_replays_nothing_that_its_plan_did_not_count(
    site: Site, rejected: list[UUID], recovery: Recovery, broker: str
) -> None:
    """What had failed before the order but was still unread takes no place of what the person saw."""
    answer = await site.order((await site.plan(filter={"class": "rejected"}))["plan"])
    latecomers = [uuid4() for _ in range(20)]
    await recovery.record([letter(each, failure(each, each.int % 2**62, FailureClass.REJECTED)) for each in latecomers])
    assert await site.step() == 5
    assert (on_topic(broker, rejected), on_topic(broker, latecomers)) == (5, 0)
    assert (await site.job(answer.json["job"]))["status"] == "completed"


async def test_job_is_paused_resumed_and_cancelled(site: Site, rejected: list[UUID], broker: str) -> None:
    """A paused job does nothing, a resumed one goes on, a cancelled one is over; meanwhile no second one starts."""
    job_id = (await site.order((await site.plan(filter={}))["plan"])).json["job"]
    assert (await site.ask("POST", f"/jobs/{job_id}/pause")).json["status"] == "paused"
    assert await site.step(2) == 0
    blocked = await site.order((await site.plan(filter={}))["plan"])
    assert (blocked.status, blocked.json["code"]) == (409, "job_active")
    assert (await site.ask("POST", f"/jobs/{job_id}/resume")).json["status"] == "running"
    assert await site.step(2) == 2
    assert (await site.ask("POST", f"/jobs/{job_id}/cancel")).json["status"] == "cancelled"
    assert await site.step(2) == 0
    assert (await site.ask("POST", f"/jobs/{job_id}/resume")).status == 409
    assert on_topic(broker, rejected) == 2


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"plan": 5},
        {"plan": "nonsense"},
        {"plan": "e30=.00"},
        {"filter": []},
        {"filter": {"class": "none"}},
        {"filter": {"colour": "red"}},
        {"filter": {"since": "yesterday"}},
        {"filter": {"code": 5}},
        {"filter": {"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}},
        {"filter": {}, "target": "http://169.254.169.254/"},
        {"limit": -1},
        {"limit": 0},
        {"limit": True},
        {"limit": 10**9},
        {"filter": {}, "plan": "x"},
        {"filter": {}, "rate": 5},
        {"plan": "e30=.00", "rate": 0},
        {"plan": "e30=.00", "rate": True},
    ],
)
async def test_malformed_orders_are_refused(site: Site, body: Any) -> None:
    """An order that is none is a 400, and names what is wrong."""
    assert (await site.ask("POST", "/replay", body)).status == 400


async def test_scope_is_needed(site: Site) -> None:
    """Without the scope nothing is planned, executed, shown or switched."""
    for method, path in (
        ("POST", "/replay"),
        ("GET", f"/jobs/{uuid4()}"),
        ("POST", f"/jobs/{uuid4()}/pause"),
        ("GET", "/dead-letters"),
    ):
        assert (await site.ask(method, path, {}, scopes=("signals:write",))).status == 403


async def test_unknown_jobs_are_not_found(site: Site) -> None:
    """A job that does not exist, an id that is none and an action that is none are a 404."""
    for method, path in (("GET", f"/jobs/{uuid4()}"), ("GET", "/jobs/x"), ("POST", f"/jobs/{uuid4()}/restart")):
        assert (await site.ask(method, path)).status == 404


async def test_another_persons_job_is_unknown(site: Site, rejected: list[UUID]) -> None:
    """Row 13: its id, its list and its Idempotency-Key tell B nothing of A's job; admin sees all."""
    plan = (await site.plan(filter={}))["plan"]
    job = (await site.order(plan, key="the-key", who="ann")).json["job"]
    assert (await site.ask("GET", f"/jobs/{job}", who="ann")).status == 200
    stranger = await site.ask("GET", f"/jobs/{job}", who="bob")
    never = await site.ask("GET", f"/jobs/{UUID(int=7)}", who="bob")
    assert (stranger.status, stranger.json["code"], stranger.json["detail"]) == (
        404, never.json["code"], never.json["detail"],
    )  # fmt: skip
    for action in ("pause", "resume", "cancel"):
        assert (await site.ask("POST", f"/jobs/{job}/{action}", who="bob")).status == 404
    assert (await site.ask("GET", "/jobs", who="bob")).json == {"jobs": []}
    # The key is A's: B meets only that another job is active, as with any other key.
    assert (await site.order(plan, key="the-key", who="bob")).json["code"] == "job_active"
    seen = await site.ask("GET", f"/jobs/{job}", who="root", scopes=("admin",))
    assert (seen.status, seen.json["status"], seen.json["requested_by"]) == (200, "running", "ann")
    assert len(rejected) == seen.json["total"]
