"""The rate of replay, and how it gives way to live traffic."""

import time
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import psycopg

from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.roles.recovery import Recovery
from tests.integration.roles.letters import failure, letter
from tests.integration.roles.site import Site


def lag(*readings: int) -> Callable[[], Awaitable[int]]:
    """Return what tells these lags one after the other, and the last one from then on."""
    left = list(readings)

    async def read() -> int:
        return left.pop(0) if len(left) > 1 else left[0]

    return read


async def given_up(recovery: Recovery, count: int, failure_class: FailureClass) -> list[UUID]:
    """Record dead letters of events of their own."""
    ids = [uuid4() for _ in range(count)]
    await recovery.record([letter(each, failure(each, each.int % 2**62, failure_class)) for each in ids])
    return ids


async def ordered(site: Site, rate: int | None = None) -> str:
    """Order the replay of what is in quarantine."""
    answer = await site.order((await site.plan(filter={"class": "rejected"}))["plan"], rate=rate)
    assert answer.status == 202, answer.body
    return str(answer.json["job"])


def statuses(database_url: str) -> dict[str, int]:
    """Return how many dead letters have which status."""
    with psycopg.connect(database_url) as connection:
        return dict(connection.execute("SELECT status, count(*) FROM dead_letters GROUP BY 1").fetchall())


async def test_due_and_ordered_letters_share_the_rate(site: Site, recovery: Recovery, database_url: str) -> None:
    """100 due and 100 ordered letters at 100 a second: all but the last slice of 20 take 1.8 s."""
    await given_up(recovery, 100, FailureClass.UNEXPECTED)
    await given_up(recovery, 100, FailureClass.REJECTED)
    job = await ordered(site)
    started = time.monotonic()
    done = await site.tick(lag(0), per_second=100).run()
    assert time.monotonic() - started >= 1.8
    assert (done["replayed"], done["ordered"], done["yielded"]) == (100, 100, False)
    assert statuses(database_url) == {"replayed": 200}
    assert (await site.job(job))["status"] == "completed"


async def test_a_job_keeps_the_rate_of_its_order(site: Site, recovery: Recovery) -> None:
    """30 letters at 20 a second, in slices of 4, take 1.4 s at least, while due letters go as fast as they may."""
    await given_up(recovery, 30, FailureClass.REJECTED)
    await given_up(recovery, 200, FailureClass.UNEXPECTED)
    job = await ordered(site, rate=20)
    tick, started = site.tick(lag(0), per_second=5000), time.monotonic()
    done = await tick.run()
    assert time.monotonic() - started >= 1.4 - 0.2
    assert (done["replayed"], done["ordered"]) == (200, 30)
    assert ((await site.job(job))["status"], (await site.job(job))["rate"]) == ("completed", 20)


async def test_live_traffic_goes_first(site: Site, recovery: Recovery, database_url: str) -> None:
    """Above the limit of the lag nothing is published; at the limit it is."""
    await given_up(recovery, 3, FailureClass.UNEXPECTED)
    await given_up(recovery, 4, FailureClass.REJECTED)
    await ordered(site)
    done = await site.tick(lag(1001), per_second=100).run()
    assert (done["replayed"], done["ordered"], done["yielded"]) == (0, 0, True)
    assert statuses(database_url) == {"scheduled": 3, "quarantined": 4}
    done = await site.tick(lag(1000), per_second=100).run()
    assert (done["replayed"], done["ordered"], done["yielded"]) == (3, 4, False)


async def test_a_tick_gives_way_in_its_middle(site: Site, recovery: Recovery, database_url: str) -> None:
    """Live traffic that falls behind while a tick is under way is seen within about a second."""
    await given_up(recovery, 300, FailureClass.UNEXPECTED)
    done = await site.tick(lag(0, 1001), per_second=100).run()
    assert done["yielded"] is True
    assert 0 < done["replayed"] <= 140  # a second's worth, and two slices of 20
    assert statuses(database_url)["scheduled"] == 300 - done["replayed"]
