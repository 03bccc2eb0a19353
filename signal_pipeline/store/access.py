"""Users, logins with their refresh tokens, and API keys, as the functions need them.

A login is a family of refresh tokens, of which one at a time is in use:

issue ──▶ in use ──spend──▶ spent ──again within 5 s──▶ same successor
             │                 └────again later───────▶ the login ends, and an event says so
             └─ logout, another password, user disabled ──▶ the login ends
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from signal_pipeline.domain.access import api_key_digest, is_api_key
from signal_pipeline.store.access_events import AccessEvent, record_access_event
from signal_pipeline.store.pool import Pool
from signal_pipeline.store.queries import query

__all__ = [
    "ApiKey",
    "Issue",
    "Login",
    "User",
    "change_password",
    "create_user",
    "end_login",
    "end_reused_login",
    "find_api_key",
    "find_user",
    "is_login_revoked",
    "login_of_token",
    "note_access_event",
    "remember_refresh_token",
    "spend_refresh_token",
]


@dataclass(frozen=True, kw_only=True)
class User:
    """Somebody with a password.

    Attributes:
        id: Primary key.
        username: Name of the user.
        password_hash: argon2id.
        scopes: What the user may do.
        disabled: Whether the user may not log in.
    """

    id: UUID
    username: str
    password_hash: str
    scopes: Sequence[str]
    disabled: bool


@dataclass(frozen=True, kw_only=True)
class Login:
    """What a refresh token stands for.

    Attributes:
        family: The login that it came from.
        user_id: Whose login.
        username: Name of the user.
        scopes: What the user may do now.
        successor: Id of the refresh token that takes its place.
    """

    family: UUID
    user_id: UUID
    username: str
    scopes: Sequence[str]
    successor: UUID


@dataclass(frozen=True, kw_only=True)
class Issue:
    """A refresh token that is about to be handed out.

    Attributes:
        token_id: Its id.
        family: The login that it belongs to.
        user_id: Whose login.
        expires: End of its validity.
        password_hash: The hash that a password was checked against, which must still be the user's; None for the
            renewal of a login.
    """

    token_id: UUID
    family: UUID
    user_id: UUID
    expires: datetime
    password_hash: str | None = None


@dataclass(frozen=True, kw_only=True)
class ApiKey:
    """An API key that is good.

    Attributes:
        name: What its operator called it.
        scopes: What it may do.
    """

    name: str
    scopes: Sequence[str]


async def find_user(pool: Pool, username: str) -> User | None:
    """Return a user by name, disabled or not; None when there is none."""
    async with pool.connection() as connection:
        cursor = await connection.execute(query("find_user"), {"username": username})
        row = await cursor.fetchone()
    if row is None:
        return None
    return User(id=row[0], username=username, password_hash=row[1], scopes=row[2], disabled=row[3])


async def find_api_key(pool: Pool, key: str) -> ApiKey | None:
    """Return the key if it is good: ours, not expired, not revoked. One statement; none for a text that is no key.

    The first use in an hour is noted in `last_used_at`.
    """
    if not is_api_key(key):
        return None
    digest = api_key_digest(key)
    async with pool.connection() as connection:
        cursor = await connection.execute(query("find_api_key"), {"digest": digest})
        row = await cursor.fetchone()
    if row is None or not hmac.compare_digest(bytes(row[2]), digest):
        return None
    return ApiKey(name=row[0], scopes=row[1])


async def create_user(pool: Pool, user: User, event: AccessEvent, *, only_first: bool) -> bool:
    """Add a user and return whether that was done: not when the name is taken, nor with `only_first` beside others."""
    name = "create_first_user" if only_first else "create_user"
    arguments = {"username": user.username, "password_hash": user.password_hash, "scopes": list(user.scopes)}
    async with pool.connection() as connection, connection.transaction():
        created = (await connection.execute(query(name), arguments)).rowcount > 0
        if created:
            await record_access_event(connection, event)
    return created


async def change_password(pool: Pool, username: str, password_hash: str, event: AccessEvent) -> None:
    """Give a user another password, and end all logins of before."""
    arguments = {"username": username, "password_hash": password_hash}
    async with pool.connection() as connection, connection.transaction():
        row = await (await connection.execute(query("set_user_password"), arguments)).fetchone()
        if row is not None:
            await connection.execute(query("end_logins_of_user"), {"user_id": row[0]})
            await record_access_event(connection, event)


async def remember_refresh_token(pool: Pool, issue: Issue, event: AccessEvent | None = None) -> bool:
    """Record a refresh token before it is handed out; forget the expired ones.

    Returns:
        False when it must not be handed out: its user was disabled, or got another password, a moment ago.
    """
    arguments = {
        "jti": issue.token_id,
        "family": issue.family,
        "user_id": issue.user_id,
        "expires_at": issue.expires,
        "password_hash": issue.password_hash,
    }
    async with pool.connection() as connection, connection.transaction():
        await connection.execute(query("purge_refresh_tokens"))
        allowed = bool(await _value(connection, "insert_refresh_token", arguments))
        if allowed and event is not None:
            await record_access_event(connection, event)
    return allowed


async def spend_refresh_token(pool: Pool, token_id: UUID, *, successor: UUID) -> Login | None:
    """Take a refresh token out of use; None when it was not in use.

    Sent again within seconds, by a client that lost the answer or asked twice at once, it stands for the same login
    and the successor that it has already.
    """
    async with pool.connection() as connection:
        cursor = await connection.execute(query("spend_refresh_token"), {"jti": token_id, "successor": successor})
        row = await cursor.fetchone()
        if row is None:
            cursor = await connection.execute(query("repeat_refresh_token"), {"jti": token_id})
            row = await cursor.fetchone()
    if row is None:
        return None
    return Login(family=row[0], user_id=row[1], username=row[2], scopes=row[3], successor=row[4])


async def end_reused_login(pool: Pool, token_id: UUID, event: AccessEvent) -> bool:
    """End the login of a refresh token that was spent before; return whether it went on until now."""
    async with pool.connection() as connection, connection.transaction():
        ended = await _value(connection, "revoke_reused_family", {"jti": token_id}) is not None
        if ended:
            await record_access_event(connection, event)
    return ended


async def login_of_token(pool: Pool, token_id: UUID) -> UUID | None:
    """Return the login that a refresh token came from; None when the token is unknown."""
    async with pool.connection() as connection:
        found = await _value(connection, "login_of_token", {"jti": token_id})
    return None if found is None else UUID(str(found))


async def end_login(pool: Pool, family: UUID, event: AccessEvent) -> bool:
    """End a login; return whether it went on until now."""
    async with pool.connection() as connection, connection.transaction():
        ended = (await connection.execute(query("end_login"), {"family": family})).rowcount > 0
        if ended:
            await record_access_event(connection, event)
    return ended


async def is_login_revoked(pool: Pool, family: UUID) -> bool:
    """Tell whether tokens of a login are refused: it has ended, or nobody knows it."""
    async with pool.connection() as connection:
        return bool(await _value(connection, "login_is_revoked", {"family": family}))


async def note_access_event(pool: Pool, event: AccessEvent) -> None:
    """Record an event that changed nothing, such as a login that failed."""
    async with pool.connection() as connection:
        await record_access_event(connection, event)


async def _value(connection: AsyncConnection[tuple[Any, ...]], name: str, arguments: dict[str, Any]) -> Any:
    """Return the first column of the first row of a statement; None without a row."""
    row = await (await connection.execute(query(name), arguments)).fetchone()
    return None if row is None else row[0]
