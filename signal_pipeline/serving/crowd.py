"""The connections of one server, bounded: when there are too many, who has waited longest for its client gives way.

A connection waits while its client owes something: the next request, the rest of a header, the rest of a body. So a
stranger who opens thousands and says little takes the place of other silent ones, never that of a request that runs.
"""

from typing import Protocol

__all__ = ["Crowd", "Member"]


class Member(Protocol):
    """A connection, as far as the crowd knows it."""

    def give_way(self) -> None:
        """Close at once, without an answer."""


class Crowd:
    """The connections of one server.

    Args:
        most: How many may be open.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._open = 0
        self._waiting: dict[Member, None] = {}  # in the order in which they began to wait

    def enter(self, member: Member) -> bool:
        """Count a new connection in; False when there is no room and nobody who could give way."""
        self._open += 1
        if self._open <= self._most:
            self._waiting[member] = None
            return True
        eldest = next(iter(self._waiting), None)
        if eldest is None:
            return False
        del self._waiting[eldest]  # it leaves when its loss is noticed; until then it must not be chosen again
        eldest.give_way()
        self._waiting[member] = None
        return True

    def leave(self, member: Member) -> None:
        """Count a connection out."""
        self._open -= 1
        self._waiting.pop(member, None)

    def waits(self, member: Member) -> None:
        """Note that a connection waits for its client from now on, or still does."""
        self._waiting.setdefault(member)

    def works(self, member: Member) -> None:
        """Note that a connection has a whole request, which is answered now."""
        self._waiting.pop(member, None)
