"""Passwords: argon2id, in a thread, a bounded number at once, and a bounded number in line."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from signal_pipeline.errors import Overloaded

__all__ = ["Passwords"]

# One hash takes 64 MiB and about 50 ms of a core: two at once leave the process room for everything else.
_AT_ONCE: Final = 2
# Half a second of work. A longer line, from many addresses, would fill the process with requests that wait: then nobody
# could renew a login either, and probes would get no answer.
_MOST_IN_LINE: Final = 20


class Passwords:
    """Hashes and verifies passwords without holding up the event loop; `Overloaded` when too many wait already."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._present = 0  # at work, and in line
        # Verified against when there is no such user, so that a name cannot be guessed by the time of the answer.
        self._nobody = self._hasher.hash("")

    async def hash(self, password: str) -> str:
        """Return the argon2id hash of a password."""
        async with self._turn():
            return await asyncio.to_thread(self._hasher.hash, password)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Tell whether the password is the one that was hashed; None stands for a user that does not exist."""
        async with self._turn():
            matches = await asyncio.to_thread(self._matches, password_hash or self._nobody, password)
        return matches and password_hash is not None

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._present >= _AT_ONCE + _MOST_IN_LINE:
            raise Overloaded("too many passwords are being checked", code="too_many_logins")
        self._present += 1
        try:
            async with self._slots:
                yield
        finally:
            self._present -= 1

    def _matches(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (Argon2Error, InvalidHashError):
            return False
