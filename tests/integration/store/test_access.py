"""API keys and logins in PostgreSQL: what is good, what has ended, and what happens at the same moment."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from signal_pipeline.domain.access import api_key_digest
from signal_pipeline.security.api_keys import new_api_key
from signal_pipeline.store.access import ApiKey, Issue, find_api_key, is_login_revoked, remember_refresh_token
from signal_pipeline.store.pool import Pool
from signal_pipeline.store.queries import query
from tests.integration.store.conftest import Fetch

HASH = "$argon2id$x"


@pytest.fixture
async def gate(database_url: str) -> AsyncIterator[Pool]:
    """A pool as pipeline_gate, which emit is; nobody has a key or a login yet."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("TRUNCATE users, refresh_tokens, api_keys, access_events CASCADE")
        connection.execute("CREATE ROLE test_gate LOGIN IN ROLE pipeline_gate")
    pool = Pool(database_url.replace("postgres:postgres", "test_gate"), application_name="test", size=4)
    yield pool
    await pool.close()
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DROP ROLE test_gate")


def stored_key(fetch: Fetch, *, expires: str | None = None, revoked: str | None = None) -> str:
    """Store a key and return it."""
    key = new_api_key()
    fetch(
        "INSERT INTO api_keys (name, key_hash, scopes, expires_at, revoked_at) "
        "VALUES (%s, %s, '{signals:write}', now() + %s::interval, now() + %s::interval)",
        f"key-{uuid4()}",
        api_key_digest(key),
        expires,
        revoked,
    )
    return key


def new_user(fetch: Fetch) -> UUID:
    """Store a user and return its id."""
    ((user,),) = fetch("INSERT INTO users (username, password_hash) VALUES (%s, %s) RETURNING id", str(uuid4()), HASH)
    return UUID(str(user))


def issue(user: UUID, *, family: UUID | None = None) -> Issue:
    """Return a token of a login that begins with a password."""
    return Issue(
        token_id=uuid4(),
        family=family or uuid4(),
        user_id=user,
        expires=datetime.now(UTC) + timedelta(days=7),
        password_hash=HASH,
    )


async def test_a_key_is_found_by_its_hash(gate: Pool, fetch: Fetch) -> None:
    """Row 11: a stored key is good, by name and scopes; the text of it is nowhere in the table."""
    key = stored_key(fetch, expires="1 hour")
    found = await find_api_key(gate, key)
    ((name, row),) = fetch("SELECT name, k::text FROM api_keys AS k")
    assert found == ApiKey(name=name, scopes=["signals:write"])
    assert key not in row
    assert key.removeprefix("spk_") not in row


async def test_keys_that_are_not_good(gate: Pool, fetch: Fetch) -> None:
    """Row 11: unknown, shortened, revoked, expired keys and the hash of a good one are refused; no use is noted."""
    good = stored_key(fetch)
    others = [
        new_api_key(),
        good[:-1],
        good + "0",
        good.lower(),
        api_key_digest(good).hex(),
        "",
        "\u0000",
        "' OR true --",
        stored_key(fetch, expires="-1 second"),
        stored_key(fetch, revoked="-1 second"),
        stored_key(fetch, expires="1 hour", revoked="0"),
    ]
    assert [key for key in others if await find_api_key(gate, key) is not None] == []
    assert fetch("SELECT count(*) FROM api_keys WHERE last_used_at IS NOT NULL") == [(0,)]


async def test_a_revoked_key_is_refused_at_once(gate: Pool, fetch: Fetch) -> None:
    """Row 11: from the moment of its revocation nothing remembers that the key was good."""
    key = stored_key(fetch)
    assert await find_api_key(gate, key) is not None
    fetch("UPDATE api_keys SET revoked_at = now()")
    assert await find_api_key(gate, key) is None


async def test_use_is_noted_once_an_hour(gate: Pool, fetch: Fetch) -> None:
    """A key in use shows when it was used, to the hour, and costs no write for every call."""
    key = stored_key(fetch)
    await find_api_key(gate, key)
    ((first, version),) = fetch("SELECT last_used_at, xmin::text FROM api_keys")
    assert first is not None
    await find_api_key(gate, key)
    assert fetch("SELECT xmin::text FROM api_keys") == [(version,)]
    fetch("UPDATE api_keys SET last_used_at = now() - interval '61 minutes'")
    await find_api_key(gate, key)
    assert fetch("SELECT last_used_at > now() - interval '1 minute' FROM api_keys") == [(True,)]


async def test_a_login_goes_on_until_it_ends(gate: Pool, pool: Pool, fetch: Fetch) -> None:
    """Row 8: a login is refused when one token of it was revoked, its user is disabled, or nobody knows it."""
    revoked, disabled, deleted, good = (new_user(fetch) for _ in range(4))
    logins = {user: issue(user) for user in (revoked, disabled, deleted, good)}
    for each in logins.values():
        assert await remember_refresh_token(pool, each)
        assert not await is_login_revoked(gate, each.family)
    second = issue(revoked, family=logins[revoked].family)
    assert await remember_refresh_token(pool, second)
    fetch("UPDATE refresh_tokens SET revoked_at = now() WHERE jti = %s", logins[revoked].token_id)
    fetch("UPDATE users SET disabled = true WHERE id = %s", disabled)
    fetch("DELETE FROM users WHERE id = %s", deleted)
    ended = {user: await is_login_revoked(gate, each.family) for user, each in logins.items()}
    assert ended == {revoked: True, disabled: True, deleted: True, good: False}
    assert await is_login_revoked(gate, uuid4())


async def test_a_revoked_login_does_not_come_back(gate: Pool, pool: Pool, fetch: Fetch) -> None:
    """The token whose revocation ended a login is kept as long as the login has any other, then all are forgotten."""
    user = new_user(fetch)
    old = issue(user)
    younger = issue(user, family=old.family)
    for each in (old, younger):
        await remember_refresh_token(pool, each)
    fetch(
        "UPDATE refresh_tokens SET revoked_at = now(), issued_at = now() - interval '8 days', "
        "expires_at = now() - interval '1 day' WHERE jti = %s",
        old.token_id,
    )
    await remember_refresh_token(pool, issue(user))
    assert await is_login_revoked(gate, old.family)
    fetch(
        "UPDATE refresh_tokens SET issued_at = now() - interval '8 days', expires_at = now() - interval '1 day' "
        "WHERE family = %s",
        old.family,
    )
    await remember_refresh_token(pool, issue(user))
    assert fetch("SELECT count(*) FROM refresh_tokens WHERE family = %s", old.family) == [(0,)]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE users SET disabled = true WHERE id = %s",
        "UPDATE users SET password_hash = '$argon2id$y' WHERE id = %s",
    ],
)
async def test_no_login_slips_past_a_change(pool: Pool, fetch: Fetch, change: str) -> None:
    """A password that was right before the user was disabled, or got another one, gives no token any more."""
    user = new_user(fetch)
    fetch(change, user)
    assert not await remember_refresh_token(pool, issue(user))
    assert fetch("SELECT count(*) FROM refresh_tokens WHERE user_id = %s", user) == [(0,)]


async def test_whoever_ends_the_logins_waits_for_one_that_begins(database_url: str, pool: Pool, fetch: Fetch) -> None:
    """A login that began before the user is disabled is committed first, so that it is ended with the others."""
    user = new_user(fetch)
    login = issue(user)
    arguments = {
        "jti": login.token_id,
        "family": login.family,
        "user_id": user,
        "expires_at": login.expires,
        "password_hash": HASH,
    }
    with psycopg.connect(database_url) as beginning, psycopg.connect(database_url) as ending:
        beginning.execute(query("insert_refresh_token"), arguments)
        ending.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            ending.execute("UPDATE users SET disabled = true WHERE id = %s", (user,))
        ending.rollback()
        beginning.commit()
        ending.execute("UPDATE users SET disabled = true WHERE id = %s", (user,))
        ending.execute(query("end_logins_of_user"), {"user_id": user})
        ending.commit()
    assert await is_login_revoked(pool, login.family)
