"""Dead letters as a person looks at them over HTTP: filtered, and one of them whole."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.roles.recovery import Recovery
from tests.integration.roles.letters import failure, letter
from tests.integration.roles.site import Site


async def listed(site: Site, query: str) -> list[dict[str, Any]]:
    """Return the dead letters that a query string gives."""
    answer = await site.ask("GET", f"/dead-letters?{query}")
    assert answer.status == 200, answer.body
    return list(answer.json["dead_letters"])


@pytest.fixture
async def placed(recovery: Recovery) -> dict[int, UUID]:
    """Ten quarantined letters of partition 3, at offsets 0 to 9, and one at offset 5 of another partition."""
    ids = {number: UUID(int=uuid4().int // 6 * 6 + 3) for number in range(10)}
    letters = [letter(each, failure(each, number, FailureClass.REJECTED)) for number, each in ids.items()]
    stranger = UUID(int=ids[0].int + 1)
    await recovery.record([*letters, letter(stranger, failure(stranger, 5, FailureClass.REJECTED))])
    return ids


async def test_a_range_of_offsets_selects_the_same_everywhere(site: Site, placed: dict[int, UUID]) -> None:
    """Listing, plan and job agree on which dead letters of a partition lie in a range; its end is not part of it."""
    found = await listed(site, "partition=3&offset_from=2&offset_until=5")
    assert sorted(each["event_id"] for each in found) == sorted(str(placed[number]) for number in (2, 3, 4))
    plan = await site.plan(filter={"partition": "3", "offset_from": "2", "offset_until": "5"})
    assert plan["count"] == 3
    job = (await site.order(plan["plan"])).json["job"]
    assert await site.step() == 3
    assert (await site.job(job))["replayed"] == 3
    replayed = [each["original_offset"] for each in await listed(site, "partition=3") if each["status"] == "replayed"]
    assert sorted(replayed) == [2, 3, 4]


async def test_ids_select_themselves(site: Site, placed: dict[int, UUID]) -> None:
    """A filter by ids gives those dead letters, and with another part those of them that it fits."""
    ids = [each["dlq_id"] for each in await listed(site, "partition=3&offset_until=2")]
    assert len(ids) == 2
    assert len(placed) == 10
    assert sorted(each["dlq_id"] for each in await listed(site, f"ids={','.join(ids)}")) == sorted(ids)
    assert (await site.plan(filter={"ids": ",".join(ids)}))["count"] == 2
    assert await listed(site, f"ids={ids[0]}&class=invalid") == []


@pytest.mark.parametrize(
    "query",
    ["partition=x", "offset_from=1", "ids=x", "class=a", "code=a%00", "colour=red", "class=invalid&class=rejected"],
)
async def test_malformed_filters_are_refused(site: Site, query: str) -> None:
    """A filter that is none is a 400, with a code that names the kind of mistake."""
    answer = await site.ask("GET", f"/dead-letters?{query}")
    assert (answer.status, answer.json["code"][-9:]) == (400, "parameter")


async def test_one_dead_letter_is_shown(site: Site, recovery: Recovery, rejected: list[UUID]) -> None:
    """A letter that failed twice tells both failures, its headers and its record."""
    dlq_id = (await listed(site, "limit=1"))[0]["dlq_id"]
    event_id = UUID((await site.ask("GET", f"/dead-letters/{dlq_id}")).json["event_id"])
    assert event_id in rejected
    again = failure(event_id, 77, FailureClass.REJECTED)
    await recovery.record([letter(event_id, again, origin=UUID(dlq_id))])
    found = (await site.ask("GET", f"/dead-letters/{dlq_id}")).json
    assert (found["attempts"], found["failure_ids"]) == (2, [dlq_id, str(again.id)])
    assert found["value"] == {"bytes": 7, "truncated": False, "encoding": "utf-8", "text": '{"a":1}'}
    assert {"name": "ce_type", "encoding": "utf-8", "text": "click"} in found["headers"]
    assert found["key"]["text"] == "key"


async def test_what_is_not_there_is_not_found(site: Site) -> None:
    """An unknown id and a text that is no id are a 404; without the scope nothing is shown."""
    assert (await site.ask("GET", f"/dead-letters/{uuid4()}")).status == 404
    assert (await site.ask("GET", "/dead-letters/x")).status == 404
    assert (await site.ask("GET", f"/dead-letters/{uuid4()}", scopes=("signals:read",))).status == 403


async def test_jobs_are_listed_newest_first(site: Site, rejected: list[UUID]) -> None:
    """The list has each job with how far it is; it is empty before the first."""
    assert (await site.ask("GET", "/jobs")).json == {"jobs": []}
    first = (await site.order((await site.plan(filter={}, limit=2))["plan"])).json["job"]
    await site.step()
    second = (await site.order((await site.plan(filter={}))["plan"])).json["job"]
    jobs = (await site.ask("GET", "/jobs")).json["jobs"]
    assert [(each["job_id"], each["status"], each["replayed"]) for each in jobs] == [
        (second, "running", 0),
        (first, "completed", 2),
    ]
    assert jobs[0]["total"] == len(rejected) - 2
    assert (await site.ask("GET", "/jobs?limit=x")).status == 400
