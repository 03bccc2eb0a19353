"""How a bad link carries bytes, as objects that a proxy obeys."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["Blackhole", "Cut", "Latency", "Pass", "Resets", "Rule", "Trickle"]

Write = Callable[[bytes], Awaitable[None]]


class Cut(Exception):
    """The rule ends the connection."""


class Rule(Protocol):
    """One kind of link."""

    async def carry(self, data: bytes, write: Write) -> None:
        """Carry bytes that one side sent; `Cut` ends the connection."""

    def lift(self) -> None:
        """End: the bytes that are still kept go on their way."""


@dataclass(frozen=True, kw_only=True)
class Pass:
    """A good link."""

    async def carry(self, data: bytes, write: Write) -> None:
        """Carry at once."""
        await write(data)

    def lift(self) -> None:
        """Nothing is kept."""


@dataclass(frozen=True, kw_only=True)
class Latency(Pass):
    """A long way: each direction is that much later.

    Attributes:
        seconds: How much.
    """

    seconds: float

    async def carry(self, data: bytes, write: Write) -> None:
        """Carry later."""
        await asyncio.sleep(self.seconds)
        await write(data)


@dataclass(frozen=True, kw_only=True)
class Trickle(Pass):
    """A narrow way: pieces with pauses.

    Attributes:
        size: Bytes of a piece.
        pause_seconds: Time behind each.
    """

    size: int
    pause_seconds: float

    async def carry(self, data: bytes, write: Write) -> None:
        """Carry piece by piece."""
        for start in range(0, len(data), self.size):
            await write(data[start : start + self.size])
            await asyncio.sleep(self.pause_seconds)


@dataclass(frozen=True, kw_only=True)
class Resets(Pass):
    """A link that breaks whenever it is used."""

    async def carry(self, data: bytes, write: Write) -> None:
        """Carry half of it, and break."""
        await write(data[: len(data) // 2])
        raise Cut


@dataclass(frozen=True, kw_only=True)
class Blackhole:
    """A link that swallows packets and says nothing; as TCP repeats them, they arrive when it is lifted.

    Attributes:
        swallowed: Set when somebody sent something.
    """

    swallowed: asyncio.Event = field(default_factory=asyncio.Event)
    _lifted: asyncio.Event = field(default_factory=asyncio.Event)

    async def carry(self, data: bytes, write: Write) -> None:
        """Carry when all is well again."""
        self.swallowed.set()
        await self._lifted.wait()
        await write(data)

    def lift(self) -> None:
        """Deliver what was kept."""
        self._lifted.set()
