"""The user `admin`, whom the settings make, so that there is somebody to log in with in the beginning.

                        development             production
there is no admin       made                    made only while there is no user at all: what was deleted stays away
disabled                stays disabled          stays disabled
enabled                 AUTH_ADMIN_PASSWORD is its password; a changed setting ends its logins
scopes                  all, when it is made; then what operators say
"""

import asyncio
from typing import Final
from uuid import uuid4

from signal_pipeline.observability.logs import get_logger
from signal_pipeline.security.passwords import Passwords
from signal_pipeline.settings import Settings
from signal_pipeline.store.access import User, change_password, create_user, find_user
from signal_pipeline.store.access_events import AccessEvent, AccessEventKind, log_access_event
from signal_pipeline.store.pool import Pool

__all__ = ["ADMIN", "AdminUser"]

ADMIN: Final = "admin"
_SCOPES: Final = ("signals:write", "signals:read", "replay", "admin")
_ACTOR: Final = "AUTH_ADMIN_PASSWORD"


class AdminUser:
    """Keeps the user admin to what the settings say, once per process.

    Args:
        settings: Password and environment.
        passwords: Hashes them.
    """

    def __init__(self, settings: Settings, passwords: Passwords) -> None:
        self._password = settings.auth_admin_password.get_secret_value()
        self._only_first = settings.environment == "production"
        self._passwords = passwords
        self._known = False
        self._looking = asyncio.Lock()

    async def ensure(self, pool: Pool) -> None:
        """Make the user, or give it the setting's password, by the table above; nothing once that was done."""
        if self._known:
            return
        async with self._looking:
            if not self._known:
                await self._ensure(pool)
                self._known = True

    async def _ensure(self, pool: Pool) -> None:
        known = await find_user(pool, ADMIN)
        if known is None:
            await self._create(pool)
        elif not known.disabled and not await self._passwords.verify(known.password_hash, self._password):
            event = AccessEvent(kind=AccessEventKind.PASSWORD_CHANGED, actor=_ACTOR, subject=ADMIN)
            await change_password(pool, ADMIN, await self._passwords.hash(self._password), event)
            log_access_event(event)

    async def _create(self, pool: Pool) -> None:
        password_hash = await self._passwords.hash(self._password)
        user = User(id=uuid4(), username=ADMIN, password_hash=password_hash, scopes=_SCOPES, disabled=False)
        detail = {"scopes": list(_SCOPES)}
        event = AccessEvent(kind=AccessEventKind.USER_CREATED, actor=_ACTOR, subject=ADMIN, detail=detail)
        if await create_user(pool, user, event, only_first=self._only_first):
            log_access_event(event)
        else:
            get_logger().info("admin_not_created", reason="there are other users, or another process was first")
