"""The protocols of the links, as far as a proxy must know them to stop at an exact frame.

HTTP         pieces as they come; a piece that begins a message bears its first line
PostgreSQL   messages, by the statement that they carry or answer
Kafka        requests and answers, by the name of the API; the broker's address in answers becomes the proxy's
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

__all__ = ["Frame", "HttpWire", "KafkaWire", "PostgresWire", "Side", "Wire"]


class Side(StrEnum):
    """Who sent it."""

    CLIENT = "client"
    SERVER = "server"


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What is carried or held as one.

    Attributes:
        side: Who sent it.
        kind: First line of HTTP, type of a PostgreSQL message, API of Kafka.
        request: What it carries or answers: the request's first line, the statement, the whole request of Kafka.
        data: The bytes that go on.
    """

    side: Side
    kind: str
    request: bytes
    data: bytes


class Wire(Protocol):
    """The state of one connection."""

    def cut(self, side: Side, data: bytes) -> list[Frame]:
        """Take bytes that one side sent; return the frames that are complete."""


class HttpWire:
    """HTTP/1.1 without pipelining. It needs not know its port."""

    def __init__(self, _port: int) -> None:
        self._request = b""

    def cut(self, side: Side, data: bytes) -> list[Frame]:
        """Return the bytes as one frame."""
        line = data.partition(b"\r\n")[0]
        begins = line.startswith((b"POST ", b"GET ")) if side is Side.CLIENT else line.startswith(b"HTTP/1.1 ")
        if begins and side is Side.CLIENT:
            self._request = line
        return [Frame(side=side, kind=line.decode() if begins else "", request=self._request, data=data)]


class PostgresWire:
    """PostgreSQL's protocol 3.0 without TLS, whose start-up message is the only one without a type."""

    def __init__(self, _port: int) -> None:
        self._rest = dict.fromkeys(Side, b"")
        self._started = False
        self._prepared: dict[bytes, bytes] = {}
        self._statement = b""

    def cut(self, side: Side, data: bytes) -> list[Frame]:
        """Return the complete messages; those of the server are about the client's last statement."""
        self._rest[side] += data
        return list(self._frames(side))

    def _frames(self, side: Side) -> Iterator[Frame]:
        while True:
            typed = self._started or side is Side.SERVER
            rest = self._rest[side]
            if len(rest) < typed + 4:
                return
            end = typed + struct.unpack_from(">i", rest, typed)[0]
            if len(rest) < end:
                return
            message, self._rest[side] = rest[:end], rest[end:]
            kind = chr(message[0]) if typed else "start"
            if side is Side.CLIENT:
                self._started = True
                self._note(kind, message[5:])
            yield Frame(side=side, kind=kind, request=self._statement, data=message)

    def _note(self, kind: str, content: bytes) -> None:
        match kind:
            case "Q":
                self._statement = content.rstrip(b"\0")
            case "P":
                name, text = content.split(b"\0")[:2]
                self._statement = self._prepared[name] = text
            case "B":
                self._statement = self._prepared.get(content.split(b"\0")[1], b"")


_APIS: Final = {0: "Produce", 1: "Fetch", 3: "Metadata", 8: "OffsetCommit", 9: "OffsetFetch", 10: "FindCoordinator"}
_HOST: Final = b"127.0.0.1"


class KafkaWire:
    """Kafka's protocol without TLS. A client connects to the addresses that the broker names: here the proxy's.

    Args:
        port: The proxy's.
        broker_port: The one that the broker names.
    """

    def __init__(self, port: int, *, broker_port: int) -> None:
        self._rest = dict.fromkeys(Side, b"")
        self._asked: dict[int, tuple[str, bytes]] = {}
        # Both are nine characters and four bytes, so that no length changes, in whatever version of the protocol.
        self._named = _HOST + struct.pack(">i", broker_port)
        self._own = _HOST + struct.pack(">i", port)

    def cut(self, side: Side, data: bytes) -> list[Frame]:
        """Return the complete requests or answers."""
        self._rest[side] += data
        frames = []
        while len(self._rest[side]) >= 4:  # the size
            end = 4 + struct.unpack_from(">i", self._rest[side])[0]
            if len(self._rest[side]) < end:
                break
            message, self._rest[side] = self._rest[side][:end], self._rest[side][end:]
            frames.append(self._request(message) if side is Side.CLIENT else self._answer(message))
        return frames

    def _request(self, message: bytes) -> Frame:
        api, _, number = struct.unpack_from(">hhi", message, 4)
        name = _APIS.get(api, str(api))
        self._asked[number] = (name, message)
        return Frame(side=Side.CLIENT, kind=name, request=message, data=message)

    def _answer(self, message: bytes) -> Frame:
        name, request = self._asked.pop(struct.unpack_from(">i", message, 4)[0])
        if name != "Fetch":  # records may hold any bytes, and no addresses
            message = message.replace(self._named, self._own)
        return Frame(side=Side.SERVER, kind=name, request=request, data=message)
