"""What is known of API keys and logins while PostgreSQL answers, and while it does not."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from signal_pipeline.domain.failures import Failure, FailureClass
from signal_pipeline.errors import DependencyUnavailable, Forbidden
from signal_pipeline.serving import directory as module
from signal_pipeline.serving.credentials import Caller, Kind
from signal_pipeline.serving.directory import Directory
from signal_pipeline.store.access import ApiKey
from signal_pipeline.store.errors import StoreError

KEY = ApiKey(name="partner", scopes=["signals:write"])
LOGIN = UUID(int=1)
POOL: Any = None


class Database:
    """Stands in for the two statements: answers, or is away; counts its questions."""

    def __init__(self) -> None:
        self.keys = {"spk_good": KEY}
        self.ended: set[UUID] = set()
        self.away = False
        self.asked = 0

    async def find(self, _: Any, text: str) -> ApiKey | None:
        """Answer about a key."""
        self._look()
        return self.keys.get(text)

    async def revoked(self, _: Any, login: UUID) -> bool:
        """Answer about a login."""
        self._look()
        return login in self.ended

    def _look(self) -> None:
        self.asked += 1
        if self.away:
            failure = Failure(failure_class=FailureClass.DEPENDENCY, code="08006", detail="away")
            raise StoreError(failure)


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    """The database behind every directory of a test."""
    made = Database()
    monkeypatch.setattr(module, "find_api_key", made.find)
    monkeypatch.setattr(module, "is_login_revoked", made.revoked)
    return made


@pytest.fixture
def pass_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let seconds pass."""
    clock = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])

    def step(seconds: float) -> None:
        clock[0] += seconds

    return step


async def test_a_revocation_holds_at_once(database: Database) -> None:
    """Every request asks."""
    directory = Directory(POOL, outlives_outages=True)
    assert await directory.api_key("spk_good") == KEY
    assert not await directory.has_ended(LOGIN)
    database.keys.clear()
    database.ended.add(LOGIN)
    assert await directory.api_key("spk_good") is None
    assert await directory.has_ended(LOGIN)


async def test_a_known_caller_outlives_an_outage_and_a_stranger_does_not_begin_in_one(
    database: Database, pass_time: Callable[[float], None]
) -> None:
    """For as long as an access token would live; each second one question finds out whether it is over."""
    directory = Directory(POOL, outlives_outages=True)
    await directory.api_key("spk_good")
    database.keys["spk_other"] = KEY
    database.away = True
    for _ in range(10):
        assert await directory.api_key("spk_good") == KEY
        assert not await directory.has_ended(LOGIN)
        with pytest.raises(DependencyUnavailable):
            await directory.api_key("spk_other")
    assert database.asked == 2
    pass_time(901)
    with pytest.raises(DependencyUnavailable):
        await directory.api_key("spk_good")
    database.away = False
    pass_time(1)
    assert await directory.api_key("spk_other") == KEY


async def test_a_revoked_key_is_forgotten(database: Database) -> None:
    """An outage after the revocation does not bring it back."""
    directory = Directory(POOL, outlives_outages=True)
    await directory.api_key("spk_good")
    database.keys.clear()
    await directory.api_key("spk_good")
    database.away = True
    with pytest.raises(DependencyUnavailable):
        await directory.api_key("spk_good")


async def test_a_login_that_has_ended_is_asked_about_once_a_second(
    database: Database, pass_time: Callable[[float], None]
) -> None:
    """Whoever sends its token again and again does not keep the database busy; other logins are asked about."""
    directory = Directory(POOL)
    database.ended.add(LOGIN)
    assert [await directory.has_ended(LOGIN) for _ in range(100)] == [True] * 100
    assert database.asked == 1
    assert not await directory.has_ended(UUID(int=2))
    pass_time(1)
    assert await directory.has_ended(LOGIN)
    assert database.asked == 3


async def test_an_outage_does_not_bring_an_ended_login_back(
    database: Database, pass_time: Callable[[float], None]
) -> None:
    """A token that was refused before is refused while nobody can be asked, too."""
    directory = Directory(POOL, outlives_outages=True)
    database.ended.add(LOGIN)
    assert await directory.has_ended(LOGIN)
    database.away = True
    pass_time(60)
    assert await directory.has_ended(LOGIN)
    assert not await directory.has_ended(UUID(int=2))


async def test_in_an_outage_one_request_asks_and_the_others_go_on(
    database: Database, pass_time: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When it is time to look again, a database that hangs holds up one request, and not all that come meanwhile."""
    directory, hanging, asked = Directory(POOL, outlives_outages=True), asyncio.Event(), asyncio.Event()
    database.away = True
    assert not await directory.has_ended(LOGIN)
    pass_time(1)

    async def hangs(*_: Any) -> bool:
        assert not asked.is_set() or hanging.is_set(), "a second one asks"
        asked.set()
        return await hanging.wait()

    monkeypatch.setattr(module, "is_login_revoked", hangs)
    first = asyncio.create_task(directory.has_ended(LOGIN))
    await asked.wait()
    assert [await directory.has_ended(UUID(int=number)) for number in range(2, 10)] == [False] * 8
    hanging.set()
    assert await first
    assert await directory.has_ended(UUID(int=2))


async def test_what_needs_the_database_anyway_refuses_without_it(database: Database) -> None:
    """Replay and auth do not go by memory."""
    directory = Directory(POOL)
    await directory.api_key("spk_good")
    database.away = True
    with pytest.raises(DependencyUnavailable):
        await directory.api_key("spk_good")
    with pytest.raises(DependencyUnavailable):
        await directory.has_ended(LOGIN)


async def test_memory_is_bounded(database: Database) -> None:
    """However many keys there are."""
    directory = Directory(POOL)
    for number in range(module._REMEMBERED + 10):
        database.keys = {f"spk_{number}": KEY}
        await directory.api_key(f"spk_{number}")
        database.ended = {UUID(int=number)}
        await directory.has_ended(UUID(int=number))
    assert len(directory._seen) == len(directory._ended) == module._REMEMBERED
    assert directory.knows(f"spk_{number}")
    assert not directory.knows("spk_0")


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [({"replay"}, True), ({"admin"}, True), ({"replay2"}, False), (set(), False), ({"signals:write"}, False)],
)
def test_scopes(scopes: set[str], allowed: bool) -> None:  # noqa: FBT001 - an expected value
    """The scope itself or admin is needed; anything else is forbidden, not unauthenticated."""
    who = Caller(kind=Kind.USER, name="ada", scopes=frozenset(scopes))
    who.require(None)
    if allowed:
        who.require("replay")
        return
    with pytest.raises(Forbidden):
        who.require("replay")


def test_a_user_and_a_key_of_one_name_are_two() -> None:
    """What belongs to one does not belong to the other."""
    assert Caller(kind=Kind.USER, name="a", scopes=frozenset()).identity == "a"
    assert Caller(kind=Kind.KEY, name="a", scopes=frozenset()).identity == "key:a"
