"""Users and refresh tokens for the role auth."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from signal_pipeline.store.pool import Pool
from signal_pipeline.store.queries import query

__all__ = [
    "ApiKey",
    "Login",
    "User",
    "end_login",
    "find_api_key",
    "find_user",
    "is_login_revoked",
    "put_development_user",
    "remember_refresh_token",
    "revoke_login",
    "spend_refresh_token",
]


@dataclass(frozen=True, kw_only=True)
class User:
    """Who may log in.

    Attributes:
        id: Primary key.
        username: Name of the user.
        password_hash: argon2id.
        scopes: What the user may do.
    """

    id: UUID
    username: str
    password_hash: str
    scopes: Sequence[str]


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


async def find_user(pool: Pool, username: str) -> User | None:
    """Return an enabled user by name; None when there is none."""
    async with pool.connection() as connection:
        cursor = await connection.execute(query("find_user"), {"username": username})
        row = await cursor.fetchone()
    return None if row is None else User(id=row[0], username=username, password_hash=row[1], scopes=row[2])


async def put_development_user(pool: Pool, username: str, password_hash: str, scopes: Sequence[str]) -> None:
    """Create the user of a setting, or give it the setting's password."""
    arguments = {"username": username, "password_hash": password_hash, "scopes": list(scopes)}
    async with pool.connection() as connection:
        await connection.execute(query("put_development_user"), arguments)


async def remember_refresh_token(pool: Pool, token_id: UUID, *, family: UUID, user: UUID, expires: datetime) -> None:
    """Record a refresh token before it is handed out; forget the expired ones."""
    arguments = {"jti": token_id, "family": family, "user_id": user, "expires_at": expires}
    async with pool.connection() as connection, connection.transaction():
        await connection.execute(query("purge_refresh_tokens"))
        await connection.execute(query("insert_refresh_token"), arguments)


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


async def revoke_login(pool: Pool, token_id: UUID) -> int:
    """Revoke all refresh tokens of the login that a token came from; return how many."""
    async with pool.connection() as connection:
        cursor = await connection.execute(query("revoke_refresh_family"), {"jti": token_id})
        return cursor.rowcount


async def end_login(pool: Pool, family: UUID) -> int:
    """Revoke all refresh tokens of a login; return how many."""
    async with pool.connection() as connection:
        cursor = await connection.execute(query("end_login"), {"family": family})
        return cursor.rowcount


async def is_login_revoked(pool: Pool, family: UUID) -> bool:
    """Tell whether a login has ended before its time."""
    async with pool.connection() as connection:
        cursor = await connection.execute(query("login_is_revoked"), {"family": family})
        row = await cursor.fetchone()
    return row is not None and bool(row[0])


@dataclass(frozen=True, kw_only=True)
class ApiKey:
    """An API key that is good now.

    Attributes:
        name: Its name.
        scopes: What it may do.
    """

    name: str
    scopes: Sequence[str]


async def find_api_key(pool: Pool, key: str) -> ApiKey | None:
    """Return the key with this text, unless it is revoked or expired."""
    digest = hashlib.sha256(key.encode()).digest()
    async with pool.connection() as connection:
        cursor = await connection.execute(query("find_api_key"), {"key_hash": digest})
        row = await cursor.fetchone()
    return None if row is None else ApiKey(name=row[0], scopes=row[1])
